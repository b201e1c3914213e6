"""The heat meter of the building's north-east section, of which the six rooms are a small part.

Belongs here: power, flow, temperatures and the totals since the meter was installed. The totals must be known without
simulating all earlier weeks: every week has a budget that follows from its outdoor temperature alone, and the rest
of the section uses what the six rooms leave of it.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.simulator.noise import DAY, HOUR, MINUTE, WEEK, Floats, Ints, smooth
from esus_pipeline.simulator.weather import Weather

WATER = 4.18e6
"""Heat capacity of water, J/(m3 K)."""
INSTALLED_WEEK = 2300
"""The meter counts since this week (January 2014)."""
_BASE_W = 4_000.0
_PER_KELVIN_W = 2_400.0
_BALANCE = 17.0


@dataclass(frozen=True)
class Meter:
    """Minute series of one week: W, m3/s, degC, degC, Wh, m3, h."""

    power: Floats
    flow: Floats
    supply: Floats
    back: Floats
    energy: Floats
    volume: Floats
    hours: Floats


def run_meter(weather: Weather, week: int, week_start_s: int, outdoor: Floats, rooms_w: Floats) -> Meter:
    """The meter over one week of minutes; `rooms_w` is what the six rooms take (W)."""
    time_s = week_start_s + MINUTE * np.arange(len(outdoor), dtype=np.int64)
    totals = _totals(weather, week, week_start_s)
    rest = (
        _demand(outdoor)
        * (0.75 + 0.35 * _daily_course(time_s))
        * (1 + 0.08 * smooth(weather.seed, "section", time_s, 3 * HOUR))
    )
    rest *= max(totals[1] - totals[0] - rooms_w.mean() * WEEK / HOUR, 0.0) / (rest.mean() * WEEK / HOUR)
    power = rest + rooms_w
    supply = np.clip(78 - 0.7 * outdoor, 64, 92) + 0.8 * smooth(weather.seed, "district", time_s, 2 * HOUR)
    flow = power / (WATER * (supply - 38 - 0.05 * outdoor))
    flow *= (totals[3] - totals[2]) / (flow.mean() * WEEK)
    hours = (week - INSTALLED_WEEK) * WEEK / HOUR + (time_s - week_start_s) / HOUR
    return Meter(
        power=power,
        flow=flow,
        supply=supply,
        back=supply - power / (WATER * flow),
        energy=totals[0] + np.cumsum(power) * MINUTE / HOUR,
        volume=totals[2] + np.cumsum(flow) * MINUTE,
        hours=hours,
    )


def _demand(outdoor: Floats) -> Floats:
    """Heat that the section needs, W: hot water and losses always, the rest below the balance temperature."""
    return _BASE_W + _PER_KELVIN_W * np.maximum(_BALANCE - outdoor, 0)


def _daily_course(time_s: Ints) -> Floats:
    return 1 + 0.35 * np.cos(2 * np.pi * ((time_s % DAY) / DAY - 6.5 / 24))


def _totals(weather: Weather, week: int, week_start_s: int) -> tuple[float, float, float, float]:
    """Energy (Wh) at the start and the end of a week, then volume (m3) at both."""
    weeks = np.arange(min(INSTALLED_WEEK, week), week + 1)
    starts = week_start_s + (weeks - week) * WEEK
    days = starts[:, None] + DAY * np.arange(7) + DAY // 2
    outdoor = weather.slow_temperature(days.ravel()).reshape(days.shape)
    energy = _demand(outdoor).mean(axis=1) * WEEK / HOUR
    spread = np.clip(78 - 0.7 * outdoor.mean(axis=1), 64, 92) - 38
    volume = energy * HOUR / (WATER * spread)
    return energy[:-1].sum(), energy.sum(), volume[:-1].sum(), volume.sum()
