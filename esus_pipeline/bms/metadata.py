"""The list of logged points of a building, from the body of `metadata`."""

import json
import logging

import pandas as pd

from esus_pipeline.bms.parse import MalformedBody

log = logging.getLogger(__name__)


def parse_metadata(body: bytes) -> pd.DataFrame:
    """Columns point_id (int64) and path (str), sorted by point, one row per point (the last one wins).

    Records without a whole number as externallogid or without a source are left out, with a warning that counts them.
    Raises MalformedBody where the body is not a JSON array or nothing in it is such a record.
    """
    try:
        records = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedBody("not_json") from None
    if not isinstance(records, list):
        raise MalformedBody("wrong_schema")
    points = {
        record["externallogid"]: record["source"]
        for record in records
        if isinstance(record, dict)
        and type(record.get("externallogid")) is int
        and 0 <= record["externallogid"] <= 2**53
        and isinstance(record.get("source"), str)
        and record["source"].isprintable()
    }
    left_out = len(records) - len(points)
    if records and not points:
        raise MalformedBody("wrong_schema")
    if left_out:
        log.warning("%d of %d metadata records are repeated or have no usable id and source", left_out, len(records))
    ids = sorted(points)
    paths = pd.Series([points[i] for i in ids], dtype="str")
    return pd.DataFrame({"point_id": pd.Series(ids, dtype="int64"), "path": paths})
