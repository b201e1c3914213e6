"""One series of irregular readings onto the 15-minute grid: mean, interpolate or last, each with a greatest age.

Belongs here: the arithmetic of one series. Does not belong here: which series speaks for a room (see rooms).

No window looks beyond its own end: what was computed live, with nothing later known, is what a backfill computes,
to the last bit. Times and ages are int64 microseconds; windows are given by their starts, ascending, without gaps.
"""

import numpy as np

from esus_pipeline.frames import STEP
from esus_pipeline.instants import Floats, Ints, length

WINDOW = length(STEP)


def last(time: Ints, value: Floats, starts: Ints, max_age: int) -> Floats:
    """Value of the newest reading before each window's end; NaN where it is older than `max_age` at that end."""
    at = newest(time, starts)
    age = starts + WINDOW - time[np.maximum(at, 0)]
    return np.where((at >= 0) & (age <= max_age), value[np.maximum(at, 0)], np.nan)


def newest(time: Ints, starts: Ints) -> Ints:
    """Where in `time` the newest reading before each window's end stands; -1 for none."""
    return np.asarray(np.searchsorted(time, starts + WINDOW, side="left") - 1)


def mean(time: Ints, value: Floats, starts: Ints, max_age: int, *, lines: bool) -> Floats:
    """Time-weighted mean of each window; NaN where no reading speaks for any part of it.

    A reading holds until the next one, at most for `max_age`. With `lines`, two readings at most `max_age` apart are
    joined by a straight line instead, as far as the later one lies before the window's end.
    """
    cuts = np.unique(np.concatenate([time[(time > starts[0]) & (time < starts[-1] + WINDOW)], starts]))
    window = np.searchsorted(starts, cuts, side="right") - 1
    stops = np.append(cuts[1:], starts[-1] + WINDOW)
    before = np.searchsorted(time, cuts, side="right") - 1
    heard = before >= 0
    cuts, stops, window, before = cuts[heard], stops[heard], window[heard], before[heard]

    held = np.minimum(stops, time[before] + max_age)
    weight = np.maximum(held - cuts, 0).astype(float)
    level = value[before]
    if lines:
        after = np.minimum(before + 1, len(time) - 1)
        gap = time[after] - time[before]
        joined = (gap > 0) & (gap <= max_age) & (time[after] < starts[window] + WINDOW)
        share = ((cuts + stops) / 2 - time[before]) / np.where(joined, gap, 1)
        level = np.where(joined, level + (value[after] - level) * share, level)
    total = np.bincount(window, weight, minlength=len(starts))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(window, weight * level, minlength=len(starts)) / total)
