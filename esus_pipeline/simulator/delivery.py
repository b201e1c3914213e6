"""What becomes of a reading on its way. Belongs here: lateness, gaps, losses, spikes; all by (seed, time) alone.

A controller that is cut off keeps its readings and hands them over when it is back: they are late together. Never by
more than 8 hours.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.simulator.noise import DAY, HOUR, Floats, Ints, uniform
from esus_pipeline.site import Point

WORST_LATENESS_S = 8 * HOUR
_SLOT_S = 3 * DAY
_GAP_SLOT_S = 14 * DAY
_LOST = 4e-4
_SPIKES = 1.5e-4
SPIKES: dict[str, tuple[float, ...]] = {
    "air_temperature": (0.0, 85.0, -40.0),
    "co2": (0.0, 9999.0),
    "illuminance": (65_535.0,),
    "damper_position": (255.0, -1.0),
    "wind_speed": (99.9,),
    "solar_intensity_south": (3276.7,),
    "solar_intensity_east": (3276.7,),
    "heating_return_temperature": (327.67,),
}
"""Values that a disturbed reading shows."""


@dataclass(frozen=True)
class Readings:
    """Readings of one point, sorted by stamp; `stamp` and `arrival` in milliseconds since 1970."""

    stamp: Ints
    value: Floats
    arrival: Ints

    def between(self, start_ms: int, end_ms: int, now_ms: int) -> "Readings":
        """Those stamped in [start, end] that have arrived by `now`."""
        part = slice(*np.searchsorted(self.stamp, [start_ms, end_ms + 1]))
        here = self.arrival[part] <= now_ms
        return Readings(self.stamp[part][here], self.value[part][here], self.arrival[part][here])


def deliver(point: Point, seed: int, stamp: Ints, value: Floats) -> Readings:
    """The readings that ever arrive, with their arrival."""
    time_s = stamp // 1000
    chance = uniform(seed, f"fate/{point.id}", stamp)
    keep = (chance > _LOST) & ~_in_gap(seed, f"gap/{point.controller}", time_s, 0.45, 5 * HOUR)
    keep &= ~_in_gap(seed, f"gap/{point.id}", time_s, 0.12, 12 * HOUR)
    disturbed = SPIKES.get(point.quantity)
    if disturbed:
        spike = chance > 1 - _SPIKES
        choice = (stamp // 1000 % len(disturbed)).astype(int)
        value = np.where(spike, np.array(disturbed)[choice], value)
    arrival = np.maximum(stamp + _usual_ms(seed, point, stamp), _outage_end_ms(seed, point.controller, time_s))
    arrival = np.minimum(arrival, stamp + WORST_LATENESS_S * 1000)
    return Readings(stamp[keep], value[keep], arrival[keep])


def _usual_ms(seed: int, point: Point, stamp: Ints) -> Ints:
    """Seconds, rarely up to two minutes."""
    return (2_000 + 118_000 * uniform(seed, f"late/{point.id}", stamp) ** 4).astype(np.int64)


def _outage_end_ms(seed: int, controller: str, time_s: Ints) -> Ints:
    """When the controller is back, for stamps during its outage; else 0. Most slots of 3 days have one outage."""
    slot = time_s // _SLOT_S
    happens = uniform(seed, f"outage/{controller}", 3 * slot) < 0.7
    start = slot * _SLOT_S + uniform(seed, f"outage/{controller}", 3 * slot + 1) * (_SLOT_S - 8 * HOUR)
    length = 300 * 90.0 ** uniform(seed, f"outage/{controller}", 3 * slot + 2)  # 5 min .. 7.5 h, short ones more often
    cut = happens & (time_s >= start) & (time_s < start + length)
    return np.where(cut, ((start + length) * 1000).astype(np.int64), 0)


def _in_gap(seed: int, name: str, time_s: Ints, share: float, longest_s: float) -> np.ndarray:
    """True where nothing is ever kept: one gap in a `share` of the 14-day slots."""
    slot = time_s // _GAP_SLOT_S
    happens = uniform(seed, name, 3 * slot) < share
    start = slot * _GAP_SLOT_S + uniform(seed, name, 3 * slot + 1) * (_GAP_SLOT_S - longest_s)
    length = longest_s * (0.05 + 0.95 * uniform(seed, name, 3 * slot + 2) ** 2)
    return np.asarray(happens & (time_s >= start) & (time_s < start + length))
