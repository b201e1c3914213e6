"""What a sensor makes of the truth. Belongs here: bias, noise, resolution, range, and the sensor that gets stuck."""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.simulator.noise import HOUR, MINUTE, WEEK, Floats, Ints, normal, uniform
from esus_pipeline.site import Point


@dataclass(frozen=True)
class Sensor:
    """Standard deviations of bias and noise, resolution, and the least and greatest reading, in the point's unit."""

    bias: float = 0.0
    noise: float = 0.0
    resolution: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    can_stick: bool = False


_PERCENT = Sensor(noise=0.0, resolution=1.0, low=0, high=100)
_SUN = Sensor(bias=4.0, noise=3.0, resolution=0.1, low=0, high=1400, can_stick=True)
SENSORS: dict[str, Sensor] = {
    "air_temperature": Sensor(0.25, 0.03, 0.1, -10, 60, can_stick=True),
    "co2": Sensor(18, 6, 1, 0, 2000, can_stick=True),
    "illuminance": Sensor(8, 4, 1, 0, 20_000, can_stick=True),
    "radiator_valve": _PERCENT,
    "damper_position": Sensor(0.0, 0.4, 0.1, 0, 100, can_stick=True),
    "light_level": _PERCENT,
    "solar_intensity_east": _SUN,
    "solar_intensity_south": _SUN,
    "solar_intensity_west": _SUN,
    "wind_speed": Sensor(0.2, 0.15, 0.1, 0, 45, can_stick=True),
    "heating_power": Sensor(resolution=100, low=0),
    "heating_flow": Sensor(noise=0.002, resolution=0.001, low=0),
    "heating_supply_temperature": Sensor(0.1, 0.03, 0.01),
    "heating_return_temperature": Sensor(0.1, 0.03, 0.01),
    "heating_energy": Sensor(resolution=1000),
    "heating_volume": Sensor(resolution=0.01),
    "heating_operating_hours": Sensor(resolution=1),
}
"""Quantities that are not here are states and settings, which are exact."""

_STUCK_SHARE = 0.012
"""Chance that a sensor sticks in a given week."""


def measure(point: Point, seed: int, time_s: Ints, truth: Floats) -> Floats:
    """Minute series as the sensor sees it. Two logs of one sensor (same room and quantity) see the same."""
    sensor = SENSORS.get(point.quantity)
    if sensor is None:
        return truth
    name = f"sensor/{point.room}/{point.quantity}"
    seen = truth + sensor.bias * float(normal(seed, name + "/bias", 0))
    if sensor.noise:
        seen = seen + sensor.noise * normal(seed, name, time_s // MINUTE)
    if sensor.resolution:
        seen = np.round(seen / sensor.resolution) * sensor.resolution
    seen = np.clip(seen, sensor.low, sensor.high)
    return _stuck(seed, name, time_s, seen) if sensor.can_stick else seen


def _stuck(seed: int, name: str, time_s: Ints, seen: Floats) -> Floats:
    """Some weeks a sensor repeats one reading for 4 to 30 hours."""
    for week in np.unique(time_s // WEEK):
        chance, where, length = uniform(seed, name + "/stuck", 3 * week + np.arange(3))
        if chance > _STUCK_SHARE:
            continue
        start = week * WEEK + where * (WEEK - 30 * HOUR)
        rows = np.flatnonzero((time_s >= start) & (time_s < start + (4 + 26 * length) * HOUR))
        if rows.size:
            seen = seen.copy()
            seen[rows] = seen[rows[0]]
    return seen
