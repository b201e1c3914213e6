"""Who is in which room, minute by minute. Belongs here: arrivals, lunch, meetings, weekends, holidays."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.simulator.noise import MINUTE, Floats, Ints, smooth, uniform

_DAY_MINUTES = 1440


def local_clock(time_s: Ints, zone: ZoneInfo) -> pd.DatetimeIndex:
    """Naive local times of the building for instants in seconds since 1970."""
    utc = pd.DatetimeIndex(np.asarray(time_s, dtype="datetime64[s]"), tz="UTC")
    return utc.tz_convert(zone).tz_localize(None)


def count_people(staff: Ints, seed: int, time_s: Ints, zone: ZoneInfo) -> Floats:
    """Number of people, shape (minutes, rooms), for consecutive minutes `time_s`; `staff` work in each room."""
    clock = local_clock(time_s, zone)
    minute = (clock.hour * 60 + clock.minute).to_numpy()
    midnight = clock.normalize()
    present = np.zeros((len(time_s), len(staff)))
    for day in midnight.unique():
        rows = np.flatnonzero(midnight == day)
        for room, people in enumerate(staff):
            present[rows, room] = _day(seed, room, int(people), day.date())[minute[rows]]
    return present


def motion(seed: int, people: Floats, time_s: Ints) -> Floats:
    """What passive infrared sensors report (0/1): movement seen within the last 5 minutes; (minutes, rooms)."""
    rooms = range(people.shape[1])
    chance = np.stack([uniform(seed, f"motion/{room}", time_s // MINUTE) for room in rooms], axis=1)
    return held(chance < 1 - 0.35**people, 5)


def held(flags: npt.ArrayLike, minutes: int) -> Floats:
    """`flags` (0/1) kept at 1 for `minutes` after the last 1."""
    rolled = pd.DataFrame(np.asarray(flags, dtype=np.float64)).rolling(minutes, min_periods=1).max()
    return rolled.to_numpy(dtype=np.float64)


def activity(seed: int, time_s: Ints) -> Floats:
    """Factor of the heat and CO2 of a person, around 1."""
    return np.asarray(1 + 0.08 * smooth(seed, "activity", time_s, 1800))


def _attendance(day: date) -> float:
    """Share of the people who come in at all."""
    if day.weekday() >= 5:
        return 0.04
    if (day.month, day.day) in {(1, 1), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31)}:
        return 0.0
    if date(day.year, 7, 6) <= day <= date(day.year, 8, 2) or day >= date(day.year, 12, 21):
        return 0.25
    return 0.55 if day.weekday() == 4 else 0.78


def _day(seed: int, room: int, people: int, day: date) -> Floats:
    """People in one room over the 1,440 minutes of a local day."""
    rng = np.random.default_rng([seed, 17, room, (day - date(1970, 1, 1)) // timedelta(days=1)])
    present = np.zeros(_DAY_MINUTES)
    share = _attendance(day)
    for _ in range(people):
        comes, start, length = rng.random() < share, rng.normal(8.35, 0.7), rng.normal(7.6, 1.1)
        lunch, away = rng.normal(11.75, 0.2), rng.uniform(9, 15, size=2)
        absence = rng.uniform(0.15, 1.2, size=2)
        if not comes:
            continue
        stay = np.zeros(_DAY_MINUTES)
        stay[_span(start, max(length, 1.0))] = 1
        stay[_span(lunch, 0.55)] = 0
        for begin, hours in zip(away, absence, strict=True):
            stay[_span(begin, hours)] = 0
        present += stay
    if rng.random() < share * 0.45:
        present[_span(rng.choice([9.0, 10.0, 13.0, 14.0]), rng.choice([0.5, 1.0, 1.5]))] += rng.integers(2, 6)
    if rng.random() < 0.5 and share > 0.5:
        present[_span(rng.uniform(17.2, 19.0), 0.2)] += 1  # cleaning
    return present


def _span(start_hour: float, hours: float) -> slice:
    start = int(np.clip(start_hour * 60, 0, _DAY_MINUTES))
    return slice(start, int(np.clip(start + hours * 60, start, _DAY_MINUTES)))
