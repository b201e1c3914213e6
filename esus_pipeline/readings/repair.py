"""What late readings change: which stored readings were never cleaned, and how far a changed one reaches.

Belongs here: which windows have to be computed again. `read` is anything with the signature of Archive.read. Does not
belong here: computing them.
"""

from datetime import datetime

import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES, RAW_BMS_READINGS, STEP, Frame
from esus_pipeline.readings.context import LOOKBACK, Read

_KEY = ["point_id", "timestamp"]


def unclean(read: Read, rooms: Frame, start: datetime, end: datetime) -> pd.DataFrame:
    """Stored readings (point_id, timestamp) of [start, end) without a clean row, in windows that were computed before.

    Every reading has one clean row, so these came late and their window has not been computed since. A run that was
    killed between storing them and saying so is found out here. `rooms` is the site's room table: it has rows for
    every window that was computed.
    """
    raw = read(RAW_BMS_READINGS, start, end, columns=_KEY)
    computed = read(rooms, start, end, columns=["timestamp"])["timestamp"].unique()
    raw = raw[raw["timestamp"].dt.floor(STEP).isin(computed)]
    clean = read(CLEAN_SERIES, start, end, columns=_KEY)
    joined = raw.merge(clean, on=_KEY, how="left", indicator=True)
    return joined.loc[joined["_merge"] == "left_only", _KEY].reset_index(drop=True)


def reach(read: Read, changed: pd.DataFrame, until: datetime) -> datetime:
    """Start of the last window before `until` (a window's start) that depends on one of the changed readings.

    A reading speaks until the next one of its point comes, and it is a witness, or counts in the ranking, for LOOKBACK.
    """
    last = until - STEP
    witness = changed["timestamp"].max() + LOOKBACK
    if witness >= pd.Timestamp(last):
        return last
    points = sorted(set(changed["point_id"]))
    later = read(RAW_BMS_READINGS, witness.to_pydatetime(), until, columns=_KEY, point_id=points)
    following = later.groupby("point_id")["timestamp"].min().reindex(points)
    newest = following.max() if following.notna().all() else pd.Timestamp(last)
    return min(max(newest, witness).floor(STEP).to_pydatetime(), last)
