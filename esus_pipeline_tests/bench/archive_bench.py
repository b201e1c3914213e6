"""The archive against one Parquet file per window: write a day, read seven days, read one point of a year.

172 points every five minutes. The year is seven written days and copies of one of them under the names of the other
358: a reader has the same work, and the preparation takes seconds. The other side gets links to that day's 96 files,
and a fifth of the year, because all of it takes it more than a minute.
"""

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from esus_pipeline.archive import Archive
from esus_pipeline.frames import RAW_BMS_READINGS as RAW
from esus_pipeline_tests.bench.measure import measure, row

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POINTS = range(6000, 6172)
PER_DAY = 288


def rows() -> list[dict[str, object]]:
    """The three rows of the bench table; takes about half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        table = [_write_a_day(root)]
        archive, windows = Archive(root / "archive"), root / "windows"
        for number in range(7):
            archive.merge(RAW, _readings(number))
            _write_windows(windows, _readings(number))
        table.append(_read_seven_days(archive, windows))
        _extend_to_a_year(archive, windows)
        return [*table, _read_a_point(archive, windows)]


def _write_a_day(root: Path) -> dict[str, object]:
    day = _readings(0)

    def ours() -> None:
        shutil.rmtree(root / "ours", ignore_errors=True)
        Archive(root / "ours").merge(RAW, day)

    def other() -> None:
        shutil.rmtree(root / "other", ignore_errors=True)
        _write_windows(root / "other", day)

    what = "archive: write a day of all points / a file per window, unsynced and unchecked"
    return row("e1", what, "ms", measure(ours), measure(other))


def _read_seven_days(archive: Archive, windows: Path) -> dict[str, object]:
    expected = 7 * PER_DAY * len(POINTS)

    def ours() -> None:
        _check(len(archive.read(RAW, START, START + 7 * DAY)), expected)

    def other() -> None:
        _check(len(pd.concat([pd.read_parquet(file) for file in sorted(windows.iterdir())])), expected)

    return row("e2", "archive: read 7 days of all points / a file per window", "ms", measure(ours), measure(other))


def _read_a_point(archive: Archive, windows: Path) -> dict[str, object]:
    point = POINTS[100]

    def ours() -> None:
        _check(len(archive.read(RAW, point_id=[point])), 365 * PER_DAY)

    def fifth() -> None:
        parts = [pq.read_table(file).to_pandas() for file in sorted(windows.iterdir())]
        _check(sum(int((part["point_id"] == point).sum()) for part in parts), 73 * PER_DAY)

    other = measure(fifth, repeat=1)
    what = "archive: read one point of a year / a file per window (a fifth of the year, times five)"
    return row("e3", what, "ms", measure(ours), replace(other, seconds=5 * other.seconds))


def _readings(number: int) -> pd.DataFrame:
    chance = np.random.default_rng(number)
    times = pd.date_range(START + number * DAY, periods=PER_DAY, freq="5min", unit="us")
    count = PER_DAY * len(POINTS)
    frame = pd.DataFrame(
        {
            "point_id": np.repeat(POINTS, PER_DAY),
            "timestamp": np.tile(times, len(POINTS)),
            "value": np.round(21 + np.cumsum(chance.normal(0, 0.05, count)) % 10, 2),
        }
    )
    return frame.assign(received_at=frame["timestamp"].dt.ceil("15min"))


def _write_windows(folder: Path, day: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for start, part in day.groupby(day["timestamp"].dt.floor("15min")):
        part.to_parquet(folder / f"{start:%Y-%m-%d-%H%M}.parquet", compression="zstd", index=False)


def _extend_to_a_year(archive: Archive, windows: Path) -> None:
    names = [f"{START + number * DAY:%Y-%m-%d}" for number in range(365)]
    files = sorted(windows.glob(f"{names[0]}-*"))
    for number, name in enumerate(names[7:], start=7):
        shutil.copy(archive.root / RAW.name / f"{names[0]}.parquet", archive.root / RAW.name / f"{name}.parquet")
        for file in files if number < 73 else []:
            os.link(file, windows / file.name.replace(names[0], name))


def _check(got: int, expected: int) -> None:
    if got != expected:
        raise RuntimeError(f"{got} rows instead of {expected}")
