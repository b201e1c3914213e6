"""Heating and cooling setpoints from the calendar: the comfort band with people, setback without.

Before work they ramp at PREHEAT and are there one step before people come, for cooling by the site's `precool_minutes`;
when people leave they are set back at once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.inputs import Array, Horizon, Mask
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

RAMP = 1.0
"""K/h, fastest change of a setpoint with people in the building."""
PREHEAT = 2.0
"""K/h, with nobody there before work: a radiator sized for the coldest day makes 3 K in an hour with all walls cold."""
SAME = 0.005
"""K within which two setpoints are the same."""


@dataclass(frozen=True)
class Setpoints:
    """Setpoints of every room (they share one calendar), degC, and what follows from the same calendar; all (N,)."""

    heating: Array
    cooling: Array
    least: Array
    """What thermostats hold: the lower end of `held_band` with people, the setback's without, and no ramp."""
    occupied: Mask
    limit: Array
    """Temperature that the sun must not push a room over: the occupied band from the start of work until midnight,
    so that a shade is not raised onto a warm room minutes before people leave; the unoccupied band otherwise."""


def make_setpoints(horizon: Horizon) -> Setpoints:
    """The setpoints of the horizon's steps."""
    site = horizon.site
    before, after = _hours_from_work(site, horizon.as_of, horizon.steps)
    before_step = np.maximum(before - STEP / timedelta(hours=1), 0.0)
    gap = np.where(after == 0, 0.0, PREHEAT * before_step)
    occupied, unoccupied = site.comfort.occupied, site.comfort.unoccupied
    warm, cool = held_band(site)
    at_work_now = np.minimum(before, after) == 0
    at_work = np.array([_after_start(site, local) for local in horizon.local[:-1]])
    return Setpoints(
        heating=_ramped(warm, unoccupied.low, gap),
        cooling=np.where(before * 60 <= site.control.precool_minutes, cool, _ramped(cool, unoccupied.high, gap)),
        least=np.where(at_work_now, warm, unoccupied.low),
        occupied=at_work_now,
        limit=np.where(at_work, occupied.high, unoccupied.high),
    )


def held_band(site: Site) -> tuple[float, float]:
    """Heating and cooling setpoint, degC, with which the site's thermostats keep the comfort band at work."""
    band, margin = site.comfort.occupied, site.control.setpoint_margin
    return band.low + margin, band.high - margin


def told_setpoints(commanded: pd.DataFrame, as_of: datetime) -> dict[str, float]:
    """The heating setpoint, degC, that each room was told for the step before `as_of`; empty where it was told nothing.

    Args:
        commanded: rows of frames.SHADE_SETPOINT_SCHEDULE that came into force before `as_of`, by ascending valid_time.
        as_of: when the next plan begins.
    """
    if not len(commanded):
        return {}
    first, end = pd.DatetimeIndex(commanded["valid_time"]).searchsorted(
        [pd.Timestamp(as_of - STEP), pd.Timestamp(as_of)]
    )
    last = commanded.iloc[first:end]
    return dict(zip(last["room"], last["heating_setpoint"], strict=True))


def _after_start(site: Site, local: datetime) -> bool:
    return site.is_working_day(local.date()) and local.time() >= site.occupancy.start


def _ramped(occupied: float, unoccupied: float, gap: Array) -> Array:
    return occupied + np.clip(unoccupied - occupied, -gap, gap)


def _hours_from_work(site: Site, as_of: datetime, steps: int) -> tuple[Array, Array]:
    """(N,) hours from each step to the next working time and from the last one; 0 in it, infinite if none is near."""
    step = STEP.total_seconds()
    begin = as_of.timestamp() + step * np.arange(steps)
    before, after = np.full(steps, np.inf), np.full(steps, np.inf)
    today = as_of.astimezone(site.zone).date()
    for offset in range(-3, 6):
        date = today + timedelta(days=offset)
        if not site.is_working_day(date):
            continue
        start, end = (
            datetime.combine(date, clock, tzinfo=site.zone).astimezone(UTC).timestamp()
            for clock in (site.occupancy.start, site.occupancy.end)
        )
        before = np.where(begin < end, np.minimum(before, np.maximum(start - begin, 0.0)), before)
        after = np.where(begin + step > start, np.minimum(after, np.maximum(begin + step - end, 0.0)), after)
    return before / 3600, after / 3600
