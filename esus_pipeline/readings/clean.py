"""Raw readings -> clean series: the point's meaning, canonical units, a verdict on each reading.

Belongs here: the row-by-row step from frames.RAW_BMS_READINGS to frames.CLEAN_SERIES. Does not belong here: the
common time grid (see rooms) and how much history to read (see context).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES, RHYTHM
from esus_pipeline.instants import Floats, Ints, Mask, length, microseconds
from esus_pipeline.readings.plausibility import spikes, stuck, twin_values, unit_jumps
from esus_pipeline.readings.quality import Quality, too_fast
from esus_pipeline.site import Point, Quantity, Site

UNMAPPED = "unmapped"
"""Quantity of a point that the site does not know."""
UNKNOWN = "unknown"
"""Unit of such a point, and of a quantity that nothing is known of: any unit will do for it."""

STILL_FACTOR = 3.0
"""Stillness that is allowed as a multiple of the longest usual one."""

STILL_LEAST = timedelta(hours=2)
"""Nobody is called stuck sooner."""

_CODES = {flag: code for code, flag in enumerate(Quality)}


@dataclass(frozen=True)
class _Facts:
    """What is known of each point: arrays in ascending order of id, the last entry for unknown points."""

    ids: Ints
    names: pd.DataFrame
    """room, quantity, unit"""
    numbers: dict[str, Floats]
    """factor, offset, low, high, max_rate, spike, still (microseconds), still_above, level_low, level_high, twin (a
    better log of the same sensor), celsius; NaN where there is none. A factor of NaN: the unit cannot be converted; a
    still_above of -inf: stillness counts at any value"""

    def rows_of(self, point_ids: Ints) -> npt.NDArray[np.intp]:
        """Where each id stands in the arrays."""
        at = np.searchsorted(self.ids, point_ids)
        known = np.append(self.ids, -1)[at] == point_ids
        return np.where(known, at, len(self.ids))


def clean(
    site: Site, raw: pd.DataFrame, start: datetime | None, end: datetime, rhythm: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Clean rows (frames.CLEAN_SERIES) of the raw readings with start <= timestamp < end, by point and time.

    Args:
        site: the building.
        raw: frames.RAW_BMS_READINGS in any order, one row per point and time. Rows before `start` are only looked
            at to judge the first ones; readings.quality.WITNESS_AGE of them is enough.
        start: first instant, or none for all that `raw` has.
        end: the instant after the last; later readings are not looked at.
        rhythm: the version of frames.RHYTHM in force; without one, levels, stillness and the better of two logs are
            not known.
    """
    raw = raw[raw["timestamp"] < end].sort_values(["point_id", "timestamp"], kind="stable")
    facts = _facts(site, RHYTHM.empty() if rhythm is None else rhythm)
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
    point, time = raw["point_id"].to_numpy(), microseconds(raw["timestamp"])
    flags = {Quality.UNMAPPED: unmapped, Quality.UNIT: mismatch}
    flags[Quality.UNIT_JUMP] = unit_jumps(
        point, time, value, numbers["level_low"], numbers["level_high"], numbers["spike"], numbers["celsius"] > 0
    )
    flags[Quality.OUT_OF_RANGE] = outside
    flags |= _among_believable(believable, point, time, value, numbers)
    bad = np.any(list(flags.values()), axis=0)
    told = twin_values(point, time, value, ~bad, np.nan_to_num(numbers["twin"], nan=-1).astype(np.int64))
    flags[Quality.DISAGREES] = np.abs(value - told) > numbers["spike"]
    quality = np.select(list(flags.values()), [_CODES[flag] for flag in flags], _CODES[Quality.GOOD])
    return value, quality


def _among_believable(
    believable: Mask, point: Ints, time: Ints, value: Floats, numbers: dict[str, Floats]
) -> dict[Quality, Mask]:
    """Flags that hold a reading against the others in range."""
    rows = np.flatnonzero(believable)
    part = (point[rows], time[rows], value[rows])
    still = np.where(value > numbers["still_above"], numbers["still"], np.nan)
    found = {}
    for flag, rule, limit in (
        (Quality.RATE, too_fast, numbers["max_rate"]),
        (Quality.SPIKE, spikes, numbers["spike"]),
        (Quality.STUCK, stuck, still),
    ):
        found[flag] = np.zeros(len(point), dtype=bool)
        found[flag][rows] = rule(*part, limit[rows])
    return found


def _facts(site: Site, rhythm: pd.DataFrame) -> _Facts:
    points = sorted(site.points, key=lambda point: point.id)
    names = [(point.room, point.quantity, site.canonical_unit(point)) for point in points]
    known = rhythm.set_index("point_id")
    numbers = [_numbers(site, point, known) for point in points]
    columns = np.array([*numbers, (1.0, 0.0, *[np.nan] * (len(_NUMBERS) - 2))], dtype=float).T
    return _Facts(
        ids=np.array([point.id for point in points], dtype=np.int64),
        names=pd.DataFrame([*names, (None, UNMAPPED, UNKNOWN)], columns=["room", "quantity", "unit"], dtype="str"),
        numbers=dict(zip(_NUMBERS, columns, strict=True)),
    )


_NUMBERS = (
    "factor", "offset", "low", "high", "max_rate", "spike", "still", "still_above", "level_low", "level_high", "twin",
    "celsius",
)  # fmt: skip


def _numbers(site: Site, point: Point, known: pd.DataFrame) -> tuple[float | None, ...]:
    quantity = site.quantity(point.quantity)
    unjudged = quantity.unit == UNKNOWN
    factor, offset = (1.0, 0.0) if unjudged else quantity.convert(point.unit) or (None, None)
    judged = quantity.spike is not None
    levels = (known["level_low"].get(point.id), known["level_high"].get(point.id)) if judged else (None, None)
    better = _better(site, point, known) if judged else None
    limits = (quantity.low, quantity.high, quantity.max_rate, quantity.spike)
    above = -np.inf if quantity.still_above is None else quantity.still_above
    return factor, offset, *limits, _still(quantity, point, known), above, *levels, better, quantity.unit == "degC"


def _still(quantity: Quantity, point: Point, known: pd.DataFrame) -> float | None:
    """How long the point may say the same: the quantity's limit, or less where it has never been so still.

    Where only stillness above a value counts, the limit alone holds: the usual one was learned in calms and nights too.
    """
    if quantity.still is None:
        return None
    limit, usual = length(quantity.still), known["still_minutes"].get(point.id)
    if usual is None or np.isnan(usual) or quantity.still_above is not None:
        return limit
    own = STILL_FACTOR * usual * length(timedelta(minutes=1))
    return None if own > limit else max(own, length(STILL_LEAST))


def _better(site: Site, point: Point, known: pd.DataFrame) -> int | None:
    """The log of the same room and quantity that speaks more often, where there is one."""
    gaps = {
        other.id: known["gaps"].get(other.id, 0)
        for other in site.points
        if (other.room, other.quantity) == (point.room, point.quantity) and point.room is not None
    }
    best = max(gaps, key=lambda id_: (gaps[id_], -id_), default=point.id)
    return best if best != point.id and gaps[best] > gaps[point.id] else None
