"""One room's finished day and the day before it: its past, what it was told, and what the rule would have told it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.control.inputs import Array
from esus_pipeline.control.model.history import History
from esus_pipeline.control.savings.known import DAY, QUARTERS, SETPOINTS, Known
from esus_pipeline.control.savings.strategy import Clock, Strategy, baseline, in_force, planned
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

GAPS = 8
"""Quarters of an hour of a day (2 h) that an input may be unknown in; a straight line stands in for it."""
WORDS = {
    "air": "room temperature",
    "outdoor": "outdoor temperature",
    "gain_open": "sun through open shades",
    "gain_shaded": "sun through closed shades",
    "shade": "shade position",
    "people": "people",
    "valve": "radiator valve",
    "water": "heating water",
    "damper": "supply air damper",
    "supply_air": "supply air temperature",
    "cooling": "cooling valve",
}
"""Inputs that a day cannot be judged without."""


@dataclass(frozen=True)
class RoomDay:
    """Arrays and frames have 192 steps of 15 minutes; the second half is the day, the first one the day before."""

    site: Site
    room: str
    clock: Clock
    history: History | None
    """The day and as much before it as is stored; None where readings do not span the whole day."""
    rules: "pd.Series[str]"
    """The rule that won, of the plan in force."""
    plan: Strategy
    baseline: Strategy
    thermostat: Strategy
    """Measured setpoints, as far as they are measured."""
    electricity: Array
    """(96,) per kWh in the day."""
    expected: pd.DataFrame
    """Rows of frames.OPTIMAL_PLAN by hour of the day; empty where there was no optimum."""

    @property
    def has_shade(self) -> bool:
        """Whether there is a shade to move."""
        return any(window.shade for window in self.site.room(self.room).windows)

    def lacking(self, before: bool = False) -> dict[str, int]:
        """Input -> quarters of an hour without it, of the inputs that the day (or the day before) has too few of."""
        if self.history is None or (before and len(self.history) < 2 * QUARTERS):
            return dict.fromkeys(WORDS, QUARTERS)
        last = len(self.history) - (QUARTERS if before else 0)
        part = self.history.part(last - QUARTERS, last)
        dark = part.gain_open == 0
        counts = {name: np.isnan(getattr(part, name)) & ~(dark & (name == "shade")) for name in WORDS}
        return {name: int(missing.sum()) for name, missing in counts.items() if missing.sum() > GAPS}

    def untold(self, before: bool = False) -> int:
        """Quarters of an hour of the day (or the day before) for which plan or baseline said nothing."""
        told = self.plan.known() & self.baseline.known()
        return int((~told[:QUARTERS] if before else ~told[QUARTERS:]).sum())

    def filled(self) -> History:
        """The history with a straight line, and at its ends the nearest value, in place of what is not known."""
        if self.history is None:
            raise ValueError(f"room {self.room}: readings do not span the day")
        arrays = {name: pd.Series(getattr(self.history, name)) for name in WORDS}
        filled: dict[str, Any] = {
            name: each.interpolate(limit_direction="both").to_numpy(dtype=float) for name, each in arrays.items()
        }
        return replace(self.history, **filled)


def room_days(known: Known) -> list[RoomDay]:
    """The day of every room of the site."""
    times = pd.date_range(known.day - DAY, periods=2 * QUARTERS, freq=STEP)
    clock = Clock.of(known.site, times)
    return [_room_day(known, room, times, clock) for room in known.site.room_ids]


def _room_day(known: Known, room: str, times: pd.DatetimeIndex, clock: Clock) -> RoomDay:
    commands = in_force(known.plans[known.plans["room"] == room], times)
    grouped = any(room in group.rooms for group in known.site.shade_groups.values())
    optimum = known.optimum[known.optimum["room"] == room].sort_values("valid_time")
    return RoomDay(
        site=known.site,
        room=room,
        clock=clock,
        history=_history(known, room),
        rules=commands["rule"],
        plan=planned(commands),
        baseline=baseline(commands, clock, grouped),
        thermostat=_thermostat(known.setpoints[known.setpoints["room"] == room], times),
        electricity=known.electricity,
        expected=optimum,
    )


def _history(known: Known, room: str) -> History | None:
    history = known.past.history(room)
    if history is None or history.times[-1] + STEP != known.day + DAY or len(history) < QUARTERS:
        return None
    return history


def _thermostat(measured: pd.DataFrame, times: pd.DatetimeIndex) -> Strategy:
    rows = measured.drop_duplicates("timestamp", keep="last").set_index("timestamp")
    nothing = np.full(len(times), np.nan)
    told = [rows[name].reindex(times).to_numpy(dtype=float) if name in rows else nothing for name in SETPOINTS]
    return Strategy(nothing, *told)
