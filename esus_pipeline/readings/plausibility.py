"""Whether a reading fits those before it: spikes, stuck values, unit jumps, two logs of one sensor that disagree.

Belongs here: rules on arrays of readings ordered by point and time (microseconds). Does not belong here: the
vocabulary and the rate rule (see quality), the limits of a quantity (see site.quantities).

No rule looks at a reading of a later window, and none further back than MEMORY; so a verdict given live is the one
that a backfill gives, however much history is at hand.
"""

from datetime import timedelta

import numpy as np

from esus_pipeline.frames import STEP
from esus_pipeline.instants import Floats, Ints, Mask, length

MEMORY = timedelta(hours=25)
"""No rule looks further back than this."""

WITNESSES = 7
"""Readings before a reading whose median it is held against."""

FEWEST = 3
"""With fewer of them, spikes and stuck values cannot be told."""

SPREADS = 5.0
"""Median absolute deviations that a reading may be off, beside the quantity's own jump."""

LONG = 4.0
"""Hours after which a room may be anything that it will ever be."""

TWIN_AGE = timedelta(minutes=30)
"""An older reading of the other log says nothing about this one."""

_DAY = length(timedelta(hours=24))
_HOUR = length(timedelta(hours=1))
_DECIMALS = ((0.1, 0.0), (0.01, 0.0), (10.0, 0.0), (100.0, 0.0))
"""(factor, offset) that bring a value in a wrong decimal unit back."""
_TEMPERATURES = ((5 / 9, -160 / 9), (1.0, -273.15))
"""The same for degF and K, where degC is meant."""


def spikes(point: Ints, time: Ints, value: Floats, jump: Floats) -> Mask:
    """Readings far from the median of the WITNESSES before them (a causal Hampel filter) and from the last of them.

    So a spike is flagged and the return from it is not. A step is none where it is seen to last, by FEWEST readings of
    its window in a row.

    Hampel, The influence curve and its role in robust estimation, JASA 69 (1974). `jump` is how far a reading may
    honestly be off, NaN for any; the same is added for every hour since the last witness, at most LONG times.
    """
    verdict = np.zeros(len(point), dtype=bool)
    off = np.zeros(len(point), dtype=np.int8)
    for back in range(1, WITNESSES + 1):
        near = _before(point, time, back)
        off[back:] += near & (np.abs(value[back:] - value[:-back]) > jump[back:])
    fresh = np.r_[False, (point[1:] != point[:-1]) | (np.abs(value[1:] - value[:-1]) > jump[1:])]
    rows = np.flatnonzero((off >= FEWEST) & fresh)
    if not len(rows):
        return verdict
    steps = rows[:, None] - np.arange(1, WITNESSES + 1)
    known = (steps >= 0) & (point[steps] == point[rows, None]) & (time[rows, None] - time[steps] <= _DAY)
    witnesses = np.where(known, value[steps], np.nan)
    middle = np.nanmedian(witnesses, axis=1)
    spread = np.nanmedian(np.abs(witnesses - middle[:, None]), axis=1)
    hours = (time[rows] - time[rows - 1]) / _HOUR
    allowed = jump[rows] * (1 + np.minimum(hours, LONG)) + SPREADS * spread
    verdict[rows] = np.abs(value[rows] - middle) > allowed
    side = np.sign(value[rows] - middle)
    steps = rows[:, None] + np.arange(1, FEWEST)
    after = np.minimum(steps, len(point) - 1)
    beside = (steps == after) & _together(point, time, rows[:, None], after)
    stays = (value[after] - middle[:, None]) * side[:, None] > allowed[:, None]
    verdict[rows] &= ~(beside & stays).all(axis=1)
    return verdict


def stuck(point: Ints, time: Ints, value: Floats, still: Floats) -> Mask:
    """Readings that end a time of at least `still` microseconds (at most a day, NaN for any) of equal readings."""
    rows = np.flatnonzero(np.isfinite(still))
    same = np.r_[False, (point[1:] == point[:-1]) & (value[1:] == value[:-1])]
    rows = rows[same[rows]]
    verdict = np.zeros(len(point), dtype=bool)
    if not len(rows):
        return verdict
    start = np.maximum.accumulate(np.where(same, 0, np.arange(len(point))))[rows]
    order = np.unique(point, return_inverse=True)[1].astype(np.int64) << 52
    since = order[rows] + time[rows] - still[rows].astype(np.int64)
    last = np.searchsorted(order + time, since, side="right") - 1  # the newest reading before that time began
    within = np.maximum(last, 0)
    known = (last >= start) & (time[rows] - time[within] <= length(MEMORY))
    verdict[rows] = known & (rows - within + 1 >= FEWEST)
    return verdict


def unit_jumps(point: Ints, time: Ints, value: Floats, low: Floats, high: Floats, jump: Floats, celsius: Mask) -> Mask:
    """Readings that jumped out of the point's usual levels and that another unit would bring inside, two in a row.

    The first of a row is one of them where the second belongs to its window.

    `low` and `high` are the usual levels, NaN where they are unknown; `jump` is as for spikes.
    """
    margin = (high - low) / 2
    inside = (value >= low - margin) & (value <= high + margin)
    rows = np.flatnonzero((value < low - margin) | (value > high + margin))
    rows = rows[_another_unit(value[rows], low[rows], high[rows], jump[rows], celsius[rows])]
    explained, jumped = np.zeros((2, len(point)), dtype=bool)
    explained[rows] = True
    jumped[rows] = _jumped_out(rows, point, time, value, inside, jump)
    both = explained[1:] & explained[:-1] & _before(point, time, 1)
    here = np.arange(len(point) - 1)
    verdict = np.zeros(len(point), dtype=bool)
    verdict[1:] = both & jumped[1:]
    verdict[:-1] |= both & jumped[:-1] & _together(point, time, here, here + 1)
    return verdict


def _another_unit(value: Floats, low: Floats, high: Floats, jump: Floats, celsius: Mask) -> Mask:
    """Whether values outside the usual levels would be inside them in another unit.

    A decimal unit is believed only where the levels do not hold zero, and only of a value that is too far from them to
    be honest: by more than `jump` and as much for each of LONG hours. So it says nothing of levels near zero, whose
    tenth or tenfold is no further from them.
    """
    reach = jump * (1 + LONG)
    far = ((low > 0) | (high < 0)) & ((value < low - reach) | (value > high + reach))
    found = np.zeros(len(value), dtype=bool)
    for scales, chosen in ((_TEMPERATURES, celsius), (_DECIMALS, far)):
        for factor, offset in scales:
            there = value * factor + offset
            found |= chosen & (there >= low) & (there <= high)
    return found


def _jumped_out(rows: Ints, point: Ints, time: Ints, value: Floats, inside: Mask, jump: Floats) -> Mask:
    """Whether the point left its usual levels by a jump, for rows outside them.

    The last reading inside is held against the one after it, as in spikes. Where none was inside for MEMORY, how the
    levels were left is not known, and the other unit is believed: no weather keeps a point that far out for so long.
    """
    last = np.maximum.accumulate(np.where(inside, np.arange(len(point)), -1))[rows]
    known = (last >= 0) & (point[last] == point[rows]) & (time[rows] - time[last] <= length(MEMORY))
    first = last + 1
    hours = (time[first] - time[last]) / _HOUR
    allowed = jump[first] * (1 + np.minimum(hours, LONG))
    return ~known | (np.abs(value[first] - value[last]) > allowed)


def twin_values(point: Ints, time: Ints, value: Floats, good: Mask, twin: Ints) -> Floats:
    """The newest good value of each row's `twin` (a point id, negative for none) at its time; NaN where too old."""
    found = np.full(len(point), np.nan)
    for other in np.unique(twin[twin >= 0]):
        rows = np.flatnonzero(twin == other)
        source = np.flatnonzero((point == other) & good)
        at = np.searchsorted(time[source], time[rows], side="right") - 1
        if not len(source):
            continue
        near = source[np.maximum(at, 0)]
        young = (at >= 0) & (time[rows] - time[near] <= length(TWIN_AGE))
        found[rows] = np.where(young, value[near], np.nan)
    return found


def _together(point: Ints, time: Ints, one: Ints, other: Ints) -> Mask:
    """Whether rows are of the same point and window."""
    window = length(STEP)
    return np.asarray((point[one] == point[other]) & (time[one] // window == time[other] // window))


def _before(point: Ints, time: Ints, back: int) -> Mask:
    """For all rows but the first `back`: whether the one so far before is of the same point and not too old."""
    return np.asarray((point[back:] == point[:-back]) & (time[back:] - time[:-back] <= _DAY))
