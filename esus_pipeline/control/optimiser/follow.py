"""From an optimum to commands: setpoints with a limited rate, and the temperatures that follow from them."""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.inputs import Array, Horizon, Mask, PlanInputs, Told
from esus_pipeline.control.model.room_model import SUPPLY_AIR, RoomModel, discretise
from esus_pipeline.control.optimiser.optimum import HOURS, Optimum
from esus_pipeline.control.optimiser.outlook import cooling_limit, expected_people, prior
from esus_pipeline.control.setpoints import RAMP, Setpoints
from esus_pipeline.frames import STEP

WORTH_A_SETPOINT = 0.1
"""K by which the optimum must leave the calendar's setpoint to change it."""
BUSY = 20.0
"""W of heating or cooling below which none is planned."""
BELOW = 0.2
"""K under the margin from which cooling is ahead of time, and not the thermostat's daily work."""
GAP = 1.0
"""K between heating and cooling setpoint, at least."""

_SECONDS = STEP.total_seconds()
_RATE = RAMP * _SECONDS / 3600


@dataclass(frozen=True)
class Commands:
    """(R, N) degC."""

    heating: Array
    cooling: Array


def follow_setpoints(horizon: Horizon, setpoints: Setpoints, optimum: Optimum | None) -> Commands:
    """The calendar's setpoints, moved where the optimum heats or cools ahead of time; never faster than RAMP.

    The calendar's are within the rate; raising (lowering) them by cones of that slope keeps them so. The first step
    starts from what is in force, whatever the optimum before this one wanted.
    """
    rooms = len(horizon.site.rooms)
    peaks, pits = np.full((rooms, horizon.steps), -np.inf), np.full((rooms, horizon.steps), np.inf)
    if optimum is not None:
        _ahead_of_time(horizon, setpoints, optimum, peaks, pits)
    nothing = Told(np.nan, np.nan)
    told = [horizon.told.get(room, nothing) for room in horizon.site.room_ids]
    heating = _eased(setpoints.heating, peaks, np.array([each.heating for each in told]))
    cooling = -_eased(-setpoints.cooling, -pits, -np.array([each.cooling for each in told]))
    heating = np.minimum(heating, np.maximum(setpoints.heating, setpoints.cooling - GAP))
    return Commands(heating, np.maximum(cooling, np.minimum(setpoints.cooling, heating + GAP)))


def _ahead_of_time(horizon: Horizon, setpoints: Setpoints, optimum: Optimum, peaks: Array, pits: Array) -> None:
    """Write into (R, N) peaks and pits, degC, how warm and how cold the optimum has rooms beside the calendar."""
    place = _ends(horizon, optimum)
    usable = (place >= 0) & (place < horizon.steps)
    at = place[usable]
    air = optimum.air[:, usable]
    heating, cooling = setpoints.heating[at], setpoints.cooling[at]
    with np.errstate(invalid="ignore"):
        early = (optimum.heating[:, usable] > BUSY) & (air > heating + WORTH_A_SETPOINT)
        ahead = (optimum.cooling[:, usable] > BUSY) & (air < cooling - horizon.site.control.margin - BELOW)
    peaks[:, at] = np.where(early, air, -np.inf)
    pits[:, at] = np.where(ahead, air, np.inf)


def _eased(calendar: Array, peaks: Array, told: Array) -> Array:
    """(R, N) the least course over calendar (N,) and peaks (R, N) that begins where it was told (R,), NaN for unknown.

    The calendar is never waited for: what was told below it, because a window was open, holds nothing back.
    """
    reach = _RATE * np.arange(1, len(calendar) + 1)
    falling = np.where(told > calendar[0], told, -np.inf)[:, None] - reach
    rising = np.where(np.isnan(told), np.inf, np.fmax(told, calendar[0]))[:, None] + reach
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


def predict(
    inputs: PlanInputs,
    horizon: Horizon,
    setpoints: Setpoints,
    commands: Commands,
    closed: Mask,
    optimum: Optimum,
    rooms: list[int],
) -> Array:
    """(rooms, N) degC at the start of each step when the commands are carried out; thermostats at limited power."""
    site, steps = horizon.site, horizon.steps
    names = [site.room_ids[room] for room in rooms]
    models = [
        _believable(inputs.models.get(name)) or prior(site, room) for name, room in zip(names, rooms, strict=True)
    ]
    place = np.clip((horizon.as_of - optimum.issued_at) / STEP + np.arange(steps), 0, None)
    hour = np.minimum(place // 4, HOURS - 1).astype(np.int64)
    unexplained = np.nan_to_num(optimum.disturbance[rooms][:, hour])
    outdoor, people = horizon.outdoor, expected_people(inputs, horizon, setpoints, rooms)
    supply = np.maximum(outdoor, SUPPLY_AIR)
    keep, heat, rest = [], [], []
    for row, (model, room) in enumerate(zip(models, rooms, strict=True)):
        fresh = model.fresh_air_conductance(people[row])
        own, drive = discretise(model, _SECONDS, fresh)
        sun = model.sun(horizon.gain_open[room], horizon.gain_shaded[room], closed[room].astype(float))
        known = np.stack([outdoor, fresh * supply + unexplained[row], sun, people[row], np.ones(steps)], axis=-1)
        keep.append(own)
        heat.append(drive[..., 1])
        rest.append(np.einsum("hij,hj->hi", drive, known))
    power = np.array([site.rooms[room].heating_power for room in rooms])
    chill = np.stack([cooling_limit(site, room, setpoints.cooling, supply, setpoints.occupied) for room in rooms])
    start = np.stack([horizon.temperature[rooms], _mass(optimum, place[0], rooms, horizon)], axis=-1)
    return _run(
        start,
        np.stack(keep),
        np.stack(heat),
        np.stack(rest),
        power,
        chill,
        commands.heating[rooms],
        commands.cooling[rooms],
    )


def _believable(model: RoomModel | None) -> RoomModel | None:
    """The model unless no room can be like it; the optimiser has said so already."""
    if model is None:
        return None
    try:
        model.check()
        with np.errstate(all="ignore"):
            keep, drive = discretise(model, _SECONDS)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return model if np.isfinite(drive).all() and np.abs(keep).max() <= 1 else None


def _run(
    start: Array, keep: Array, heat: Array, rest: Array, power: Array, chill: Array, low: Array, high: Array
) -> Array:
    path = []
    air, mass = start[:, 0], start[:, 1]
    by_step = (np.moveaxis(each, 0, -1) for each in (keep, heat, rest, low, high, -chill))
    for a, b, other, lowest, highest, coldest in zip(*by_step, strict=True):
        path.append(air)
        free = a[0, 0] * air + a[0, 1] * mass + other[0]
        wanted = (np.minimum(np.maximum(free, lowest), highest) - free) / b[0]
        watts = np.minimum(np.maximum(wanted, coldest), power)
        mass = a[1, 0] * air + a[1, 1] * mass + other[1] + b[1] * watts
        air = free + b[0] * watts
    return np.stack(path, axis=-1)


def _mass(optimum: Optimum, quarters: float, rooms: list[int], horizon: Horizon) -> Array:
    """(rooms,) degC of the walls now: as the optimum expected, or as warm as the air where it expected nothing."""
    ends = 4.0 * np.arange(1, HOURS + 1)
    expected = np.array([np.interp(quarters, ends, row) for row in optimum.mass[rooms]])
    return np.where(np.isfinite(expected), expected, horizon.temperature[rooms])
