"""One body of `trenddata` to readings and quarantine. Pure functions: nothing is sent, kept or logged here.

Every record that arrives ends in exactly one of four places: readings, quarantine (with a reason from `REASONS`),
`duplicates` (counted) or `at_end` (counted). What is taken as it comes, besides plain numbers and zoned stamps:

    true, false                         1.0, 0.0
    "21,5", "21.5", " 3e2 "             the number; thousands separators are refused as bad_value
    1e308, or any finite number         kept: whether it is plausible is judged where readings are cleaned
    stamp with Z or an offset           that instant, whatever timestamp_tzinfo says
    stamp without one                   local time of timestamp_tzinfo (IANA name, UTC, +01:00), else of the site
    digits beyond microseconds          cut off
    hour that occurs twice (autumn)     the pass that lies in the interval; else by order within the point: before the
                                        one step back the first pass, after it the second; else ambiguous_time
    records out of order                sorted
    same point, stamp and value again   the last is kept, the others are counted as duplicates
    same point and stamp, other value   the last is kept, the others are quarantined as superseded
    stamp exactly at the end            counted as at_end: the server includes the end, the next interval begins there
    other keys                          ignored

A body that is not the JSON array of the contract is refused as a whole (`MalformedBody`): what can be made out of a
part of it would look like the whole.
"""

import json
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.bms.stamps import to_utc
from esus_pipeline.bms.values import to_numbers
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS

SOURCE = "bms"
MAX_RECORD_CHARACTERS = 2_000
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far ahead of our clock a stamp may be before it is refused."""

REASONS = {
    "not_json": "the whole body: cut off, an HTML page, or otherwise not JSON",
    "wrong_schema": "the whole body: not an array, or no record in it has the keys of the contract",
    "bad_record": "not a JSON object",
    "bad_point_id": "externallogid is missing or not a whole number from 0 to 2^53",
    "unknown_point": "a point that was not asked for",
    "bad_stamp": "timestamp is missing or not an ISO 8601 date and time from 1970 to 2199",
    "unknown_zone": "a stamp without offset whose timestamp_tzinfo names no known zone",
    "nonexistent_time": "a local time that the clocks skip in spring",
    "ambiguous_time": "a local time that occurs twice in autumn, where order does not tell which is meant",
    "future_stamp": "more than 5 minutes ahead of our clock",
    "outside_interval": "before the start or after the end of the interval asked for",
    "missing_value": "value is null, empty or not there",
    "not_finite": "value is NaN, infinite, or too large for a 64-bit float",
    "bad_value": "value is not a number",
    "superseded": "a later record of the same point and stamp has another value",
}
"""Reasons of the quarantine. The first that applies, in this order, is the one given."""

_KEYS = ("externallogid", "timestamp", "value")
_LARGEST_ID = 2**53
_AT_END = "at_end"


class MalformedBody(ValueError):  # noqa: N818 (named for what it is, as in the contract)
    """A body that is refused as a whole; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        """`reason` is a key of REASONS."""
        super().__init__(REASONS[reason])
        self.reason = reason


@dataclass(frozen=True)
class Asked:
    """What a request asked for: point ids and the interval [start, end), both ends with a zone."""

    ids: AbstractSet[int]
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Parsed:
    """What one body held. Rows of readings and rejected, plus duplicates and at_end, equal the records."""

    readings: pd.DataFrame
    rejected: pd.DataFrame
    duplicates: int
    at_end: int


def decode(body: bytes) -> list[object]:
    """The records of a body; MalformedBody if it is not the JSON array of the contract."""
    try:
        records = json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):
        records = None
        reason = "not_json"
    else:
        reason = "wrong_schema"
    if not isinstance(records, list) or (records and not any(_has_keys(record) for record in records)):
        raise MalformedBody(reason)
    return records


def parse_records(records: list[object], asked: Asked, zone: str, now: datetime) -> Parsed:
    """Judges each record by the table of this module.

    Args:
        records: what `decode` gave, in the order of arrival.
        asked: what the request asked for.
        zone: IANA name for stamps that carry neither an offset nor a zone.
        now: the instant of receipt, with a zone.
    """
    rows = [record if isinstance(record, dict) else {} for record in records]
    points = _point_ids([row.get("externallogid") for row in rows])
    stamps, stamp_reasons = to_utc(
        [row.get("timestamp") for row in rows],
        [row.get("timestamp_tzinfo") for row in rows],
        points,
        default_zone=zone,
        between=(asked.start, min(asked.end, now + FUTURE_TOLERANCE)),
    )
    start, end, latest = (pd.Timestamp(bound) for bound in (asked.start, asked.end, now + FUTURE_TOLERANCE))
    values, value_reasons = to_numbers([row.get("value") for row in rows])
    is_object = np.fromiter((isinstance(record, dict) for record in records), bool, len(records))
    judged = [
        (~is_object, "bad_record"),
        (points < 0, "bad_point_id"),
        (~np.isin(points, list(asked.ids)), "unknown_point"),
        (stamp_reasons != "", stamp_reasons),
        (stamps > latest, "future_stamp"),
        (stamps == end, _AT_END),
        ((stamps < start) | (stamps > end), "outside_interval"),
        (value_reasons != "", value_reasons),
    ]
    reasons = _first_that_applies(judged, len(records))
    frame = pd.DataFrame({"point_id": points, "timestamp": stamps, "value": values})
    repeated, superseded = _repeats(frame[reasons == ""])
    reasons[superseded] = "superseded"
    kept = np.setdiff1d(np.flatnonzero(reasons == ""), repeated)
    refused = np.flatnonzero((reasons != "") & (reasons != _AT_END))
    readings = frame.iloc[kept].sort_values(["point_id", "timestamp"], ignore_index=True).assign(received_at=now)
    return Parsed(
        readings=RAW_BMS_READINGS.conform(readings) if len(readings) else RAW_BMS_READINGS.empty(),
        rejected=quarantine([(reasons[i], points[i], json.dumps(records[i])) for i in refused], now),
        duplicates=len(repeated),
        at_end=int((reasons == _AT_END).sum()),
    )


def quarantine(refused: list[tuple[str, int, str]], now: datetime) -> pd.DataFrame:
    """Rows of QUARANTINE from (reason, point or a negative number where it is not known, record as text)."""
    if not refused:
        return QUARANTINE.empty()
    frame = pd.DataFrame(refused, columns=["reason", "point_id", "record"])
    return QUARANTINE.conform(
        frame.assign(
            received_at=now,
            source=SOURCE,
            point_id=frame["point_id"].astype("Int64").mask(frame["point_id"] < 0),
            record=frame["record"].str[:MAX_RECORD_CHARACTERS],
        )
    )


def _first_that_applies(judged: list[tuple[npt.NDArray[np.bool_], object]], rows: int) -> npt.NDArray[np.object_]:
    conditions = [np.asarray(condition) for condition, _ in judged]
    choices = [np.broadcast_to(np.asarray(choice, dtype=object), rows) for _, choice in judged]
    return np.select(conditions, choices, default="")


def _repeats(frame: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows (index labels) that repeat the last record of their key, and rows that the last one contradicts."""
    key = ["point_id", "timestamp"]
    many = frame[frame.duplicated(key, keep=False)]
    earlier = many[many.duplicated(key, keep="last")]
    last = many.groupby(key)["value"].transform("last").loc[earlier.index]
    same = earlier["value"] == last
    return earlier.index[same].to_numpy(), earlier.index[~same].to_numpy()


def _point_ids(raw: list[object]) -> npt.NDArray[np.int64]:
    return np.fromiter((v if type(v) is int and 0 <= v <= _LARGEST_ID else -1 for v in raw), np.int64, len(raw))


def _has_keys(record: object) -> bool:
    return isinstance(record, dict) and all(key in record for key in _KEYS)


def _integer(digits: str) -> int | float:
    """A whole number of any length: Python refuses to convert more than 4,300 digits, which are beyond a float."""
    return int(digits) if len(digits) < 400 else math.inf
