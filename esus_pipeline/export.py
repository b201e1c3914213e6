"""Tables for people: rows of any asset from the archive, and files of them.

The span always names windows. Readings, rooms and prices are the rows of those windows, models those of the nights
that end in it. Forecasts, gains, optima, plans and their traces are what was in force in them: the issue known at the
start, and every later one until the end, each as a whole.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.frames import (
    CLEAN_SERIES,
    DECISION_TRACE,
    ELECTRICITY_PRICE,
    GAP,
    OCCUPANCY_FORECAST,
    OPTIMAL_PLAN,
    POINT_STATE,
    QUARANTINE,
    RAW_BMS_READINGS,
    ROOM_MODELS,
    ROOM_SOURCES,
    SAVINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    SOLAR_GAIN_PANE,
    WEATHER_FORECAST,
    Frame,
)
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site
from esus_pipeline.solar import latest_known

IN_FORCE = timedelta(hours=48)
"""An issue older than this is not in force any more."""

ENDINGS = (".parquet", ".csv")

_INSTANT = timedelta(microseconds=1)
_ISSUED = {
    frame.name: frame
    for frame in (
        WEATHER_FORECAST,
        SOLAR_GAIN,
        SOLAR_GAIN_PANE,
        OCCUPANCY_FORECAST,
        OPTIMAL_PLAN,
        SHADE_SETPOINT_SCHEDULE,
        DECISION_TRACE,
    )
}
_BY_WINDOW = {
    frame.name: frame
    for frame in (
        RAW_BMS_READINGS,
        CLEAN_SERIES,
        ROOM_SOURCES,
        POINT_STATE,
        GAP,
        QUARANTINE,
        ROOM_MODELS,
        ELECTRICITY_PRICE,
        SAVINGS,
    )
}
TABLES = sorted([*_ISSUED, *_BY_WINDOW, "room_table"])


class ExportError(ValueError):
    """Nothing could be exported; the message says what to do."""


def table(archive: Archive, site: Site, name: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Rows of the table for the windows in [start, end); solar gains as the newest estimate per room and time.

    Where start and end are the same instant, forecasts, gains and plans are what was in force then.
    """
    if name in _ISSUED:
        rows = _in_force(archive, _ISSUED[name], start, end)
        return (
            latest_known(rows, end).drop(columns=["issued_at"])
            if name in (SOLAR_GAIN.name, SOLAR_GAIN_PANE.name)
            else rows
        )
    return archive.read(room_frame(site) if name == "room_table" else _BY_WINDOW[name], start, end)


def _in_force(archive: Archive, frame: Frame, start: datetime, end: datetime) -> pd.DataFrame:
    rows = archive.read(frame, start - IN_FORCE, end + _INSTANT)
    before = rows.loc[rows["issued_at"] <= start, "issued_at"]
    return rows[rows["issued_at"] >= before.max()].reset_index(drop=True) if len(before) else rows


def check_file(file: Path) -> None:
    """ExportError where `write` could not write that file; ask before long work."""
    if file.suffix not in ENDINGS:
        raise ExportError(f"{file.name} must end in {' or '.join(ENDINGS)}")
    if not file.absolute().parent.is_dir():
        raise ExportError(f"there is no folder {file.parent}; make it first")


def write(rows: pd.DataFrame, file: Path) -> None:
    """Write a table as .parquet or .csv, as its ending says; ExportError for any other."""
    check_file(file)
    if file.suffix == ".parquet":
        rows.to_parquet(file, index=False)
    else:
        rows.to_csv(file, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
