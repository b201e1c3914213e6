"""From an optimum to commands: setpoints with a limited rate with people, and preheating as late as can be."""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.inputs import Array, Horizon
from esus_pipeline.control.optimiser.optimum import HOURS, Optimum
from esus_pipeline.control.optimiser.quarters import Quarters
from esus_pipeline.control.setpoints import RAMP, Setpoints, held_band
from esus_pipeline.frames import STEP

WORTH_A_SETPOINT = 0.1
"""K by which the optimum must leave the calendar's setpoint to change it."""
BUSY = 20.0
"""W of heating below which none is planned."""
GAP = 1.0
"""K between heating and cooling setpoint, at least."""

_RATE = RAMP * STEP.total_seconds() / 3600


@dataclass(frozen=True)
class Commands:
    """(R, N) degC."""

    heating: Array
    cooling: Array


def follow_setpoints(
    horizon: Horizon, setpoints: Setpoints, optimum: Optimum | None, quarters: Quarters | None
) -> Commands:
    """The calendar's setpoints, those of heating moved where the optimum heats ahead of time.

    A room that the optimum planned is preheated as late as its model allows, instead of by the calendar's ramp. Other
    departures from the calendar come and go as cones that change by RAMP at most. With people in the building the first
    step starts from what is in force, whatever the optimum before this one wanted.
    """
    rooms = len(horizon.site.rooms)
    told = np.array([horizon.told.get(room, np.nan) for room in horizon.site.room_ids])
    calendar = np.tile(setpoints.heating, (rooms, 1))
    cooling, peaks = np.tile(setpoints.cooling, (rooms, 1)), np.full((rooms, horizon.steps), -np.inf)
    if optimum is not None and quarters is not None:
        warm, _ = held_band(horizon.site)
        calendar[quarters.rooms] = np.fmax(setpoints.least, quarters.preheating(setpoints, warm))
        _ahead_of_time(horizon, setpoints, optimum, peaks)
    if not setpoints.occupied[0]:
        told = np.full(rooms, np.nan)
    heating = _eased(calendar, peaks, told)
    return Commands(np.minimum(heating, np.maximum(calendar, cooling - GAP)), cooling)


def _ahead_of_time(horizon: Horizon, setpoints: Setpoints, optimum: Optimum, peaks: Array) -> None:
    """Write into (R, N) peaks, degC, how warm the optimum has rooms beside the calendar."""
    place = _ends(horizon, optimum)
    usable = (place >= 0) & (place < horizon.steps)
    at = place[usable]
    air = optimum.air[:, usable]
    heating = setpoints.heating[at]
    with np.errstate(invalid="ignore"):
        busy = (optimum.heating[:, usable] > BUSY) & setpoints.occupied[at]
        early = busy & (air > heating + WORTH_A_SETPOINT)
    peaks[:, at] = np.where(early, air, -np.inf)


def _eased(calendar: Array, peaks: Array, told: Array) -> Array:
    """(R, N) the least course over calendar and peaks (R, N) that begins where it was told (R,), NaN for unknown.

    The calendar is never waited for: what was told below it, because a window was open, holds nothing back.
    """
    reach = _RATE * np.arange(1, calendar.shape[1] + 1)
    falling = np.where(told > calendar[:, 0], told, -np.inf)[:, None] - reach
    rising = np.where(np.isnan(told), np.inf, np.fmax(told, calendar[:, 0]))[:, None] + reach
    return np.minimum(np.maximum(np.maximum(calendar, _cones(peaks)), falling), np.maximum(calendar, rising))


def _ends(horizon: Horizon, optimum: Optimum) -> np.ndarray:
    """(HOURS,) steps of the plan that begin when the optimum's hours end."""
    offset = (horizon.as_of - optimum.issued_at) // STEP
    return 4 * np.arange(1, HOURS + 1) - offset


def _cones(peaks: Array) -> Array:
    """The least function above the peaks that changes by at most _RATE a step."""
    slope = _RATE * np.arange(peaks.shape[1])
    before = np.maximum.accumulate(peaks + slope, axis=1) - slope
    after = np.maximum.accumulate((peaks - slope)[:, ::-1], axis=1)[:, ::-1] + slope
    return np.maximum(before, after)
