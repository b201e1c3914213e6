"""Raw readings -> clean series: the point's meaning, canonical units, a verdict on each reading.

Belongs here: the row-by-row step from frames.RAW_BMS_READINGS to frames.CLEAN_SERIES. Does not belong here: the
common time grid (see rooms) and how much history to read (see context).
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES
from esus_pipeline.instants import Floats, Ints, Mask, microseconds
from esus_pipeline.readings.quality import Quality, too_fast
from esus_pipeline.site import Point, Site

UNMAPPED = "unmapped"
"""Quantity of a point that the site does not know."""
UNKNOWN = "unknown"
"""Unit of such a point, and of a quantity that nothing is known of: any unit will do for it."""

_CODES = {flag: code for code, flag in enumerate(Quality)}


@dataclass(frozen=True)
class _Facts:
    """What is known of each point: arrays in ascending order of id, the last entry for unknown points."""

    ids: Ints
    names: pd.DataFrame
    """room, quantity, unit"""
    numbers: dict[str, Floats]
    """factor, offset, low, high, max_rate; factor is NaN where the unit cannot be converted"""

    def rows_of(self, point_ids: Ints) -> npt.NDArray[np.intp]:
        """Where each id stands in the arrays."""
        at = np.searchsorted(self.ids, point_ids)
        known = np.append(self.ids, -1)[at] == point_ids
        return np.where(known, at, len(self.ids))


def clean(site: Site, raw: pd.DataFrame, start: datetime | None, end: datetime) -> pd.DataFrame:
    """Clean rows (frames.CLEAN_SERIES) of the raw readings with start <= timestamp < end, by point and time.

    Args:
        site: the building.
        raw: frames.RAW_BMS_READINGS in any order, one row per point and time. Rows before `start` are only looked
            at to judge the first ones; readings.quality.WITNESS_AGE of them is enough.
        start: first instant, or none for all that `raw` has.
        end: the instant after the last; later readings are not looked at.
    """
    raw = raw[raw["timestamp"] < end].sort_values(["point_id", "timestamp"], kind="stable")
    facts = _facts(site)
    rows = facts.rows_of(raw["point_id"].to_numpy())
    numbers = {name: values[rows] for name, values in facts.numbers.items()}
    value, quality = _judge(raw, rows == len(facts.ids), numbers)
    wanted = np.ones(len(raw), dtype=bool) if start is None else (raw["timestamp"] >= start).to_numpy()
    table = facts.names.iloc[rows[wanted]].reset_index(drop=True)
    table["point_id"] = raw["point_id"].to_numpy()[wanted]
    table["timestamp"] = raw["timestamp"].array[wanted]
    table["value"] = value[wanted]
    table["quality"] = pd.Series(list(_CODES), dtype="str").iloc[quality[wanted]].array
    return CLEAN_SERIES.conform(table)


def _judge(raw: pd.DataFrame, unmapped: Mask, numbers: dict[str, Floats]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Values in canonical units, and the code of each one's flag."""
    given = raw["value"].to_numpy(dtype=float)
    mismatch = np.isnan(numbers["factor"])
    value = np.where(mismatch, given, given * numbers["factor"] + numbers["offset"])
    outside = ~np.isfinite(value) | (value < numbers["low"]) | (value > numbers["high"])
    believable = ~(unmapped | mismatch | outside)
    fast = np.zeros(len(raw), dtype=bool)
    fast[believable] = too_fast(
        raw["point_id"].to_numpy()[believable],
        microseconds(raw["timestamp"])[believable],
        value[believable],
        numbers["max_rate"][believable],
    )
    quality = np.select(
        [unmapped, mismatch, outside, fast],
        [_CODES[flag] for flag in (Quality.UNMAPPED, Quality.UNIT, Quality.OUT_OF_RANGE, Quality.RATE)],
        _CODES[Quality.GOOD],
    )
    return value, quality


def _facts(site: Site) -> _Facts:
    points = sorted(site.points, key=lambda point: point.id)
    names = [(point.room, point.quantity, site.canonical_unit(point)) for point in points]
    numbers = [_numbers(site, point) for point in points]
    columns = np.array([*numbers, (1.0, 0.0, *[np.nan] * 3)], dtype=float).T
    return _Facts(
        ids=np.array([point.id for point in points], dtype=np.int64),
        names=pd.DataFrame([*names, (None, UNMAPPED, UNKNOWN)], columns=["room", "quantity", "unit"], dtype="str"),
        numbers=dict(zip(("factor", "offset", "low", "high", "max_rate"), columns, strict=True)),
    )


def _numbers(site: Site, point: Point) -> tuple[float | None, ...]:
    quantity = site.quantity(point.quantity)
    unjudged = quantity.unit == UNKNOWN
    factor, offset = (1.0, 0.0) if unjudged else quantity.convert(point.unit) or (None, None)
    return factor, offset, quantity.low, quantity.high, quantity.max_rate
