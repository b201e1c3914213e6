"""A recording as a source of readings. Belongs here: reading the file, moving it in time, finding a range fast."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from esus_pipeline.simulator.delivery import Readings
from esus_pipeline.simulator.noise import Floats, Ints

COLUMNS = ["external_log_id", "timestamp", "value"]
_WEEK = timedelta(weeks=1)


class ReplayError(ValueError):
    """The recording cannot be used; the message says why."""


class Replay:
    """Recorded readings. They arrive at the instant of their stamp."""

    def __init__(self, file: Path, mode: Literal["shift", "own"], now: datetime) -> None:
        """Read `file`; ReplayError says what is wrong with it."""
        recording = read_recording(file)
        self.shift = shift_to(recording["timestamp"].max(), now) if mode == "shift" else timedelta(0)
        stamps = (recording["timestamp"] + self.shift).dt.as_unit("ms").astype("int64")
        recording = recording.assign(stamp=stamps).sort_values(["external_log_id", "stamp"], kind="stable")
        self._points = {
            int(str(point_id)): _punctual(rows["stamp"].to_numpy(np.int64), rows["value"].to_numpy(np.float64))
            for point_id, rows in recording.groupby("external_log_id")
        }

    def readings(self, ids: Iterable[int], start_ms: int, end_ms: int, now_ms: int) -> Mapping[int, Readings]:
        """See `twin.Source`."""
        return {
            point_id: self._points[point_id].between(start_ms, end_ms, now_ms)
            for point_id in ids
            if point_id in self._points
        }


def _punctual(stamp: Ints, value: Floats) -> Readings:
    return Readings(stamp, value, arrival=stamp)


def shift_to(last: datetime, now: datetime) -> timedelta:
    """Whole weeks that bring `last` to the present or up to a week beyond it.

    Weekday and hour fit, and the recording still goes on for a while.
    """
    weeks = -((last - now) // _WEEK)
    return weeks * _WEEK


def read_recording(file: Path) -> pd.DataFrame:
    """The recording with UTC time stamps (one without offset is taken as UTC); ReplayError says what is wrong."""
    if not file.is_file():
        raise ReplayError(f"{file}: no such file; give a Parquet or CSV file with {', '.join(COLUMNS)}")
    try:
        recording = pd.read_csv(file) if file.suffix.lower() == ".csv" else pd.read_parquet(file)
        absent = [name for name in COLUMNS if name not in recording.columns]
        if absent:
            raise ReplayError(f"{file}: missing columns {', '.join(absent)}")
        recording = recording[COLUMNS].assign(
            timestamp=pd.to_datetime(recording["timestamp"], utc=True),
            value=recording["value"].astype(float),
            external_log_id=recording["external_log_id"].astype(np.int64),
        )
    except (ValueError, OSError) as error:
        raise ReplayError(f"{file}: {error}") from error
    if recording.empty:
        raise ReplayError(f"{file}: no readings")
    return recording
