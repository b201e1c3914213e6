"""Time stamps of the wire to UTC: offsets, zone names, and the two nights a year when local time is not clear.

Belongs here: text to instant. Does not belong here: whether an instant lies in the interval that was asked for.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

Reasons = npt.NDArray[np.object_]

_STAMP = re.compile(
    r"((?:19[7-9]|2[01][0-9])[0-9]-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)[0-9]*"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{2}):?([0-9]{2})?")
_NEVER = np.datetime64("NaT", "us")


def resolve_zone(name: str) -> tzinfo | None:
    """The zone that `name` (IANA name, `UTC`, `Z`, or an offset such as `+01:00`) stands for; None if unknown."""
    if name in ("UTC", "Z"):
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset:
        minutes = 60 * int(offset[2]) + int(offset[3] or 0)
        if minutes >= 24 * 60:
            return None
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # an unknown name, one that leaves the database, a folder of it
        return None


def to_utc(
    stamps: Sequence[object],
    zones: Sequence[object],
    points: npt.NDArray[np.int64],
    *,
    default_zone: str,
    between: tuple[datetime, datetime],
) -> tuple[pd.DatetimeIndex, Reasons]:
    """Instants (datetime64[us, UTC], NaT where there is none) and, for each, why there is none ("" where there is).

    Args:
        stamps: `timestamp` of each record, in the order of arrival.
        zones: `timestamp_tzinfo` of each record; read only where the stamp has no offset.
        points: point of each record; order within a point decides the hour that occurs twice.
        default_zone: IANA name that stands in for an empty `timestamp_tzinfo`.
        between: earliest and latest instant that can have been meant; decides the hour that occurs twice.
    """
    matches = [_STAMP.fullmatch(stamp) if type(stamp) is str else None for stamp in stamps]
    reasons = np.full(len(stamps), "", dtype=object)
    instants = np.full(len(stamps), _NEVER)
    zoned = np.fromiter((m is not None and m[2] is not None for m in matches), bool, len(stamps))
    naive = np.fromiter((m is not None and m[2] is None for m in matches), bool, len(stamps))
    if zoned.any():
        texts = [f"{m[1]}{m[2]}" for m in matches if m and m[2]]
        instants[zoned] = _utc_values(pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True))
    if naive.any():
        texts = [m[1] for m in matches if m and not m[2]]
        local = pd.to_datetime(texts, format="ISO8601", errors="coerce")
        names = [zone for zone, is_naive in zip(zones, naive, strict=True) if is_naive]
        instants[naive], reasons[naive] = _localize(local, names, points[naive], default_zone, between)
    reasons[np.isnat(instants) & (reasons == "")] = "bad_stamp"
    return pd.DatetimeIndex(instants).tz_localize(UTC), reasons


def _localize(
    local: pd.DatetimeIndex,
    names: Sequence[object],
    points: npt.NDArray[np.int64],
    default_zone: str,
    between: tuple[datetime, datetime],
) -> tuple[npt.NDArray[np.datetime64], Reasons]:
    keys = [name if type(name) is str else ("" if name is None else "?") for name in names]
    codes, unique = pd.factorize(np.array(keys, dtype=object))
    instants = np.full(len(local), _NEVER)
    reasons = np.full(len(local), "", dtype=object)
    for code, name in enumerate(unique):
        rows = np.flatnonzero(codes == code)
        zone = resolve_zone(str(name).strip() or default_zone)
        if zone is None:
            reasons[rows] = "unknown_zone"
        else:
            instants[rows], reasons[rows] = _localize_in(local[rows], zone, points[rows], between)
    return instants, reasons


def _localize_in(
    local: pd.DatetimeIndex, zone: tzinfo, points: npt.NDArray[np.int64], between: tuple[datetime, datetime]
) -> tuple[npt.NDArray[np.datetime64], Reasons]:
    first, second = (
        _utc_values(local.tz_localize(zone, ambiguous=np.full(len(local), is_first), nonexistent="NaT"))
        for is_first in (True, False)
    )
    reasons = np.full(len(local), "", dtype=object)
    reasons[np.isnat(first) & ~np.asarray(local.isna())] = "nonexistent_time"
    instants = first.copy()
    twice = np.flatnonzero((first != second) & ~np.isnat(first))
    if len(twice):
        passes = _passes(local[twice], points[twice], first[twice], second[twice], between)
        instants[twice] = np.select([passes == 1, passes == 2], [first[twice], second[twice]], _NEVER)
        reasons[twice[passes == 0]] = "ambiguous_time"
    return instants, reasons


def _passes(
    local: pd.DatetimeIndex,
    points: npt.NDArray[np.int64],
    first: npt.NDArray[np.datetime64],
    second: npt.NDArray[np.datetime64],
    between: tuple[datetime, datetime],
) -> npt.NDArray[np.int64]:
    """1 or 2 for the first or second pass through the hour that occurs twice, 0 where it cannot be told.

    A pass that lies outside `between` cannot have been meant. Otherwise the readings of a point, which arrive in order,
    must step back exactly once: before the step is the first pass, after it the second.
    """
    earliest, latest = (np.datetime64(bound.astimezone(UTC).replace(tzinfo=None), "us") for bound in between)
    first_fits = (earliest <= first) & (first <= latest)
    second_fits = (earliest <= second) & (second <= latest)
    night = pd.DataFrame({"point": points, "date": local.date, "local": local})
    steps_back = night.groupby(["point", "date"])["local"].diff() < pd.Timedelta(0)
    steps = steps_back.groupby([night["point"], night["date"]])
    by_order = np.where(steps.transform("sum") == 1, 1 + steps.cumsum(), 0)
    return np.select([first_fits & ~second_fits, second_fits & ~first_fits], [1, 2], by_order)


def _utc_values(index: pd.DatetimeIndex) -> npt.NDArray[np.datetime64]:
    aware = index if index.tz is not None else index.tz_localize(UTC)
    return aware.tz_convert(UTC).tz_localize(None).as_unit("us").to_numpy()
