"""When a point speaks. Belongs here: periodic logs, change of value with a greatest silence, phases, stamps.

Does not belong here: when a reading arrives (see delivery).
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.simulator.noise import MINUTE, Floats, Ints, uniform
from esus_pipeline.site import Point


@dataclass(frozen=True)
class Rhythm:
    """A reading every `minutes`; with a `deadband`, also one at every change by at least that much."""

    minutes: int
    deadband: float | None = None


_SETTING = Rhythm(1440, 0.05)
_STATE = Rhythm(240, 0.5)
RHYTHMS: dict[str, Rhythm] = {
    "air_temperature": Rhythm(5),
    "co2": Rhythm(5),
    "damper_position": Rhythm(5),
    "illuminance": Rhythm(240, 25),
    "radiator_valve": Rhythm(720, 4),
    "light_level": Rhythm(720, 5),
    "heating_setpoint": Rhythm(720, 0.2),
    "cooling_setpoint": Rhythm(720, 0.2),
    "setpoint_offset": Rhythm(1440, 0.2),
    "occupancy": _STATE,
    "window_open": _STATE,
    "light_on": _STATE,
    "light_manual_switch": Rhythm(720, 0.5),
    "light_off_by_daylight": Rhythm(720, 0.5),
    "ventilation_status": Rhythm(720, 0.5),
    "blind_motor_east": Rhythm(720, 0.5),
    "blind_motor_south": Rhythm(720, 0.5),
    "shading_released": Rhythm(720, 0.5),
    "solar_intensity_east": Rhythm(1),
    "solar_intensity_south": Rhythm(1),
    "solar_intensity_west": Rhythm(1),
    "wind_speed": Rhythm(1),
    "heating_power": Rhythm(5),
    "heating_flow": Rhythm(5),
    "heating_supply_temperature": Rhythm(5),
    "heating_return_temperature": Rhythm(5),
    "heating_energy": Rhythm(15),
    "heating_volume": Rhythm(15),
    "heating_operating_hours": Rhythm(60),
}
"""Quantities that are not here are settings."""


def rhythm_of(point: Point) -> Rhythm:
    """The rhythm of a point; the coarse log of a sensor keeps every 15th minute."""
    if "coarse log" in point.note:
        return Rhythm(15)
    return RHYTHMS.get(point.quantity, _SETTING)


def speak(rhythm: Rhythm, phase: int, minute: Ints, values: Floats, first: int) -> Ints:
    """Indices of the minutes, from `first` on, at which the point gives a reading.

    `minute` counts since 1970 and is consecutive. A reading that the rhythm forces does not depend on what came
    before, so a change of value is followed from the last such reading before `first`.
    """
    forced = (minute - phase) % rhythm.minutes == 0
    if rhythm.deadband is None:
        return np.flatnonzero(forced[first:]) + first
    before = np.flatnonzero(forced[: first + 1])
    start = int(before[-1]) if before.size else 0
    moving = np.r_[True, values[1:] != values[:-1]] | forced
    candidates = np.flatnonzero(moving[start:]) + start
    spoken: list[int] = []
    last = np.inf
    for k, value, due in zip(
        candidates.tolist(), values[candidates].tolist(), forced[candidates].tolist(), strict=True
    ):
        if due or abs(value - last) >= rhythm.deadband:
            last = value
            spoken.append(k)
    indices = np.array(spoken, dtype=np.int64)
    return indices[indices >= first]


def phase_of(point: Point, seed: int) -> int:
    """Minute by which the point's forced readings are shifted."""
    return int(uniform(seed, "phase", point.id) * rhythm_of(point).minutes)


def stamp_ms(point: Point, seed: int, minute: Ints) -> Ints:
    """Time stamps in milliseconds since 1970: the point's own second of the minute, unsteady by up to 4 s."""
    second = 54_000 * float(uniform(seed, "second", point.id))
    return minute * MINUTE * 1000 + (second + 4_000 * uniform(seed, f"jitter/{point.id}", minute)).astype(np.int64)
