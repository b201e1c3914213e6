"""How the building is run: setpoints and their modes, ventilation hours, room panels, lights.

Belongs here: what follows from the clock, from people and from daylight. Does not belong here: what answers to the
state of the room itself (see rooms). Minute series, shape (minutes, rooms) unless said otherwise.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.simulator.building import Building
from esus_pipeline.simulator.noise import DAY, HOUR, MINUTE, Floats, Ints, smooth, uniform
from esus_pipeline.simulator.people import held

SETTINGS = {
    "base_setpoint": 22.0,
    "deadband_day": 1.0,
    "deadband_standby": 2.0,
    "deadband_night": 3.0,
    "damper_off_delay": 10.0,
    "light_off_illuminance": 450.0,
    "light_off_delay": 15.0,
}
"""What the operator has set, in the units of the points."""

_PRESENCE_HOLD = 15


@dataclass(frozen=True)
class Setpoints:
    """Effective limits (degC), the occupants' offset (K) and whether the mode is `day`."""

    heating: Floats
    cooling: Floats
    offset: Floats


@dataclass(frozen=True)
class Lights:
    """Level in percent, on, switched by hand, held off by daylight (0/1)."""

    level: Floats
    on: Floats
    manual: Floats
    off_by_daylight: Floats


def ventilation_status(clock: pd.DatetimeIndex) -> Floats:
    """State of the air handling unit over local time: 0 off, 1 reduced, 2 day. Shape (minutes,)."""
    hour = (clock.hour + clock.minute / 60).to_numpy()
    working = np.asarray(clock.day_of_week < 5)
    day = working & (hour >= 6.5) & (hour < 17.5)
    reduced = working & (hour >= 17.5) & (hour < 19)
    return np.where(day, 2.0, np.where(reduced, 1.0, 0.0))


def setpoints(building: Building, seed: int, clock: pd.DatetimeIndex, occupied: Floats) -> Setpoints:
    """Day mode while someone is there, standby in working hours, night otherwise; moved by the room panel."""
    working = np.asarray((clock.day_of_week < 5) & (clock.hour >= 5) & (clock.hour < 18))[:, None]
    present = held(occupied, _PRESENCE_HOLD) > 0
    band = np.where(
        present,
        SETTINGS["deadband_day"],
        np.where(working, SETTINGS["deadband_standby"], SETTINGS["deadband_night"]),
    )
    offset = _offsets(building, seed, clock)
    middle = SETTINGS["base_setpoint"] + offset
    return Setpoints(middle - band, middle + band, offset)


def lights(building: Building, seed: int, time_s: Ints, occupied: Floats, daylight: Floats) -> Lights:
    """Dimmed lights that fill up the daylight while someone is there, with an off delay and a switch by the door."""
    target = SETTINGS["light_off_illuminance"]
    present = held(occupied, int(SETTINGS["light_off_delay"])) > 0
    bright = held((daylight > 1.15 * target).astype(float), 10)
    room = np.arange(len(building.rooms)) * 1_000_000_000
    switched_off = uniform(seed, "switch", time_s[:, None] // (2 * HOUR) + room) < 0.06
    manual = np.where(switched_off, 0.0, 1.0)
    level = np.clip((target - daylight) / target, 0.1, 1.0) * 100
    on = present & (bright == 0) & (manual > 0)
    return Lights(np.where(on, level, 0.0), on.astype(float), manual, bright)


def supply_water(outdoor: Floats) -> Floats:
    """Supply temperature of the radiators by outdoor compensation, degC; the circuit stops in warm weather."""
    mean = pd.Series(outdoor).rolling(360, min_periods=1).mean().to_numpy()
    return np.where(mean > 17.0, 24.0, np.clip(33.0 + 1.15 * (17.0 - mean), 30.0, 68.0))


def supply_air(outdoor: Floats) -> Floats:
    """Supply air, degC: heat recovery of 78 %, coil up to 19.5 degC, bypass when it is warm, fan heat, slow ducts."""
    recovered = outdoor + 0.78 * np.maximum(21.5 - outdoor, 0)
    target = np.where(outdoor > 18.0, outdoor + 1.5, np.clip(recovered, 19.5, 20.5))
    return np.asarray(pd.Series(target).ewm(span=16, adjust=False).mean().to_numpy())


def corridor(time_s: Ints, seed: int, outdoor: Floats) -> Floats:
    """Temperature of the building around the six rooms, degC."""
    slow = pd.Series(outdoor).ewm(span=2880, adjust=False).mean().to_numpy()
    return np.asarray(20.6 + 0.25 * np.maximum(slow - 8, 0) + 0.3 * smooth(seed, "corridor", time_s, DAY))


def equipment(building: Building, seed: int, time_s: Ints, people: Floats, light: Lights) -> Floats:
    """Heat of computers and lights, W."""
    always = 1.2 * building.floor * (0.7 + 0.6 * uniform(seed, "standby", np.arange(len(building.rooms))))
    wander = 1 + 0.2 * smooth(seed, "equipment", time_s, 40 * MINUTE)[:, None]
    return always + people * 85.0 * wander + light.level / 100 * 6.5 * building.floor


def _offsets(building: Building, seed: int, clock: pd.DatetimeIndex) -> Floats:
    """Occupants turn the panel some days; it falls back in the evening."""
    offset = np.zeros((len(clock), len(building.rooms)))
    hour = (clock.hour + clock.minute / 60).to_numpy()
    midnight = clock.normalize()
    for day in midnight.unique():
        rows = np.flatnonzero(midnight == day)
        number = (day.date() - date(1970, 1, 1)) // timedelta(days=1)
        for room, temper in enumerate(building.temper):
            rng = np.random.default_rng([seed, 23, room, number])
            turned, start, value = rng.random() < 0.35 * temper, rng.uniform(8, 14), rng.integers(-3, 4) * 0.5
            if turned and day.day_of_week < 5:
                offset[rows, room] = np.where((hour[rows] >= start) & (hour[rows] < 18), value, 0.0)
    return offset
