"""The quality vocabulary and the rules behind it. A flag marks a reading; it never deletes or alters one.

Belongs here: whether one reading can be believed. Does not belong here: units (see clean), absence of readings.
"""

from datetime import timedelta
from enum import StrEnum

import numpy as np

from esus_pipeline.instants import Floats, Ints, Mask, length


class Quality(StrEnum):
    """The first of these that applies, from the bottom up, stands in the `quality` column. Only good ones are used."""

    GOOD = "good"
    DISAGREES = "disagrees"
    """The better log of the same sensor says something else at the same time."""
    STUCK = "stuck"
    """The same value for longer than this sensor usually keeps one."""
    SPIKE = "spike"
    """Far from the middle of the readings before it."""
    RATE = "rate"
    """Too far from both readings before it to be reached from either at the quantity's greatest rate."""
    OUT_OF_RANGE = "out_of_range"
    """Outside the quantity's limits, or not finite."""
    UNIT_JUMP = "unit_jump"
    """Outside the sensor's usual levels, and inside them when read in another unit: degF, K, ten or a hundred times."""
    UNIT = "unit"
    """The point's unit cannot be converted to the quantity's; the value stands in the point's own unit, unjudged."""
    UNMAPPED = "unmapped"
    """The site knows no such point; the value stands as it came."""


WITNESS_AGE = timedelta(hours=1)
"""Readings older than this do not speak against a new one: by then any plausible value can be reached honestly."""

_MINUTE = length(timedelta(minutes=1))
"""Two readings closer than this are judged as if this far apart: one step of the sensor's resolution is no jump."""


def too_fast(point: Ints, time: Ints, value: Floats, max_rate: Floats) -> Mask:
    """Which readings contradict both readings before them of the same point.

    Rows are ordered by point and time (microseconds) and all in range; `max_rate` is the greatest change per minute,
    NaN for any.

    Two witnesses are asked, so that a single spike is flagged but not the return from it, and a lasting step costs
    one reading. Because no verdict rests on another verdict, it is the same however much history is at hand, as
    long as that is WITNESS_AGE.
    """
    return _contradicted(point, time, value, max_rate, 1) & _contradicted(point, time, value, max_rate, 2)


def _contradicted(point: Ints, time: Ints, value: Floats, max_rate: Floats, back: int) -> Mask:
    verdict = np.zeros(len(point), dtype=bool)
    elapsed = time[back:] - time[:-back]
    minutes = np.maximum(elapsed, _MINUTE) / _MINUTE
    verdict[back:] = (
        (point[back:] == point[:-back])
        & (elapsed <= length(WITNESS_AGE))
        & (np.abs(value[back:] - value[:-back]) > max_rate[back:] * minutes)
    )
    return verdict
