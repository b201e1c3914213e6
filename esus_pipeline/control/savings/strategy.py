"""What a room is told, step by step: by the plan in force, and by the rule that the building runs without it.

The rule moves the shades as `control.baseline` said in every plan, by the building's own sun sensors and wind limits,
and keeps the setpoints of `Sg01`, the as-built rule that studies compare with.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.rules import Sg01, hours_to_work
from esus_pipeline.control.inputs import Array, Mask
from esus_pipeline.control.trace import COMMAND_LIFE
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

COMMANDS = ("shade_position", "heating_setpoint", "cooling_setpoint", "baseline_shade_position", "rule")
"""Columns of frames.SHADE_SETPOINT_SCHEDULE that a day is judged by."""


@dataclass(frozen=True)
class Strategy:
    """What one room is told; all (N,), NaN where nobody told it anything."""

    shade: Array
    """0 open .. 1 closed."""
    heating: Array
    """degC, heat below this air temperature."""
    cooling: Array
    """degC, cool above this air temperature."""

    def known(self) -> Mask:
        """(N,) whether all of it is told."""
        return np.isfinite(self.shade + self.heating + self.cooling)


@dataclass(frozen=True)
class Clock:
    """What follows from the site's calendar over N steps."""

    working: Mask
    """Whether people are expected."""
    by_day: Mask
    """Whether the building's own rule keeps its day setpoint."""

    @classmethod
    def of(cls, site: Site, times: pd.DatetimeIndex) -> "Clock":
        """The steps that start at `times` (UTC)."""
        ahead = [hours_to_work(site, moment.to_pydatetime()) for moment in times]
        return cls(
            working=np.array([hours <= timedelta(0) for hours in ahead]),
            by_day=np.array([hours <= Sg01.LEAD for hours in ahead]),
        )


def in_force(plans: pd.DataFrame, times: pd.DatetimeIndex) -> pd.DataFrame:
    """The COMMANDS of one room that were in force at each step; a command that nothing replaced lasts COMMAND_LIFE.

    Args:
        plans: rows of frames.SHADE_SETPOINT_SCHEDULE of the room.
        times: the steps, UTC.
    """
    own = plans[plans["valid_time"] == plans["issued_at"]].drop_duplicates("valid_time", keep="last")
    return own.set_index("valid_time")[list(COMMANDS)].reindex(times).ffill(limit=COMMAND_LIFE // STEP - 1)


def planned(commands: pd.DataFrame) -> Strategy:
    """What the plan told."""
    return Strategy(*(commands[name].to_numpy(dtype=float) for name in COMMANDS[:3]))


def baseline(commands: pd.DataFrame, clock: Clock, shaded: bool) -> Strategy:
    """What the building's own rule would have told a room that has a shade to move, or has none."""
    steps = len(commands)
    return Strategy(
        shade=commands["baseline_shade_position"].to_numpy(dtype=float) if shaded else np.zeros(steps),
        heating=np.where(clock.by_day, Sg01.DAY, Sg01.NIGHT),
        cooling=np.full(steps, Sg01.COOL),
    )
