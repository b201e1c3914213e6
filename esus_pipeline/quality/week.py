"""Kinds of hour in a building's week, in local time: workday, night, weekend, weekend night. A holiday is a Sunday.

Belongs here: how much time of each kind lies between two instants. Does not belong here: what a point does in it.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.instants import Floats, Ints
from esus_pipeline.site import Calendar

KINDS = ("workday", "night", "weekend", "weekend_night")

DAY_HOURS = range(6, 20)
"""Local hours that count as day."""

_HOUR = 3_600_000_000
_BLOCK = 24 * 28
"""Hours that tables are rounded to, so that one table serves many calls."""


def spent(since: Ints, until: Ints, calendar: Calendar) -> Floats:
    """Microseconds of each kind in [since, until); the last axis is the kind. Hours of the zone are whole UTC hours."""
    if not since.size:
        return np.zeros((*since.shape, len(KINDS)))
    first, total, kind = _table(min(since.min(), until.min()), max(since.max(), until.max()), calendar)
    return _elapsed(until, first, total, kind) - _elapsed(since, first, total, kind)


def kind_at(instants: Ints, calendar: Calendar) -> npt.NDArray[np.intp]:
    """Kind of the hour that each instant lies in."""
    first, _, kind = _table(instants.min(), instants.max(), calendar)
    return kind[instants // _HOUR - first]


def _elapsed(instants: Ints, first: int, total: Floats, kind: npt.NDArray[np.intp]) -> Floats:
    hour = instants // _HOUR - first
    elapsed, current = total[hour], kind[hour][..., None]
    rest = (instants % _HOUR).astype(float)[..., None]
    np.put_along_axis(elapsed, current, np.take_along_axis(elapsed, current, -1) + rest, -1)
    return elapsed


def _table(oldest: np.int64, newest: np.int64, calendar: Calendar) -> tuple[int, Floats, npt.NDArray[np.intp]]:
    first, last = int(oldest) // _HOUR // _BLOCK * _BLOCK, (int(newest) // _HOUR // _BLOCK + 1) * _BLOCK
    return first, *_hours(first, last, calendar)


@lru_cache(maxsize=16)
def _hours(first: int, last: int, calendar: Calendar) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Time of each kind before each hour of [first, last), hours since 1970, and the kind of each hour."""
    utc = pd.DatetimeIndex(np.arange(first, last).astype("datetime64[h]")).tz_localize("UTC")
    hours = utc.tz_convert(calendar.zone)
    dates = hours.tz_localize(None).normalize()
    holidays = [day for day in dates.unique() if calendar.is_holiday(day.date())]
    free = (hours.day_of_week >= 5) | dates.isin(holidays)
    kind = 2 * free.astype(np.intp) + (~hours.hour.isin(DAY_HOURS)).astype(np.intp)
    each = (kind[:, None] == np.arange(len(KINDS))) * float(_HOUR)
    return np.cumsum(each, axis=0) - each, np.asarray(kind, dtype=np.intp)
