"""What was heard of each point: arrays of stamps and verdicts to be asked "what was the newest one before t?".

Belongs here: looking up. Does not belong here: reading the archive (see context) and judging (see states).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.instants import NEVER, Ints, Mask, microseconds
from esus_pipeline.readings import Quality

ABSURD = (Quality.OUT_OF_RANGE, Quality.UNIT_JUMP, Quality.UNIT)
"""Flags of a reading that cannot be, whatever was said before it."""


@dataclass(frozen=True)
class _Series:
    """Readings of one point, ascending; entry 0 stands for what was before all of them and may be NEVER."""

    stamp: Ints
    good: Ints
    """Newest good stamp up to and with this reading."""
    stuck: Mask
    absurd: Mask
    run: Ints
    """First stamp of the unbroken run of readings with this verdict, good ones being one run each."""


class Heard:
    """Readings of a site's points, in the order of `point_ids`. Arrays that it gives are [instants, points]."""

    def __init__(
        self,
        point_ids: tuple[int, ...],
        readings: pd.DataFrame,
        before: pd.Series,
        absurd: Collection[int] = frozenset(),
    ) -> None:
        """Take the clean readings (point_id, timestamp, quality) of a span.

        `before` is the newest stamp of each point before the span, indexed by point id; missing where there is none.
        `absurd` are the points of which that reading cannot be.
        """
        ordered = readings.sort_values(["point_id", "timestamp"], kind="stable")
        stamps, quality = microseconds(ordered["timestamp"]), ordered["quality"].to_numpy(dtype=object)
        ids = ordered["point_id"].to_numpy()
        earlier = dict(zip(before.index, microseconds(pd.DatetimeIndex(before)), strict=True))
        self._series = []
        for point in point_ids:
            part = slice(*np.searchsorted(ids, [point, point + 1]))
            self._series.append(
                _series(np.int64(earlier.get(point, NEVER)), point in absurd, stamps[part], quality[part])
            )

    def newest(self, instants: Ints) -> Ints:
        """Stamp of the newest reading before each instant."""
        return self._stack(instants, lambda series: series.stamp)

    def newest_good(self, instants: Ints) -> Ints:
        """Stamp of the newest believable reading before each instant."""
        return self._stack(instants, lambda series: series.good)

    def stuck(self, instants: Ints) -> Mask:
        """Whether the newest reading before each instant is flagged as stuck."""
        return np.asarray(self._stack(instants, lambda series: series.stuck), dtype=bool)

    def absurd(self, instants: Ints) -> Mask:
        """Whether the newest reading before each instant cannot be."""
        return np.asarray(self._stack(instants, lambda series: series.absurd), dtype=bool)

    def run_start(self, instants: Ints) -> Ints:
        """First stamp of the run of equally flagged readings that the newest one ends."""
        return self._stack(instants, lambda series: series.run)

    def stamps(self, until: np.int64) -> list[Ints]:
        """All stamps of each point before an instant, the one before the span first, where there is one."""
        return [series.stamp[(series.stamp != NEVER) & (series.stamp < until)] for series in self._series]

    def _stack(self, instants: Ints, values: Callable[[_Series], Ints | Mask]) -> Ints:
        if not self._series:
            return np.empty((len(instants), 0), dtype=np.int64)
        columns = [values(series)[np.searchsorted(series.stamp[1:], instants, side="left")] for series in self._series]
        return np.stack(columns, axis=1)


def _series(before: np.int64, absurd: bool, stamp: Ints, quality: npt.NDArray[np.object_]) -> _Series:
    good = quality == Quality.GOOD
    changes = np.r_[True, quality[1:] != quality[:-1]] if len(quality) else np.empty(0, dtype=bool)
    run = np.maximum.accumulate(np.where(changes | good, stamp, NEVER)) if len(stamp) else stamp
    believed = np.maximum.accumulate(np.r_[before, np.where(good, stamp, NEVER)])
    return _Series(
        stamp=np.r_[before, stamp],
        good=believed,
        stuck=np.r_[False, quality == "stuck"],
        absurd=np.r_[absurd, np.isin(quality, ABSURD)],
        run=np.r_[before, run],
    )
