"""The forecast of people as rows of frames.OCCUPANCY_FORECAST, and what a plan takes of them."""

from collections.abc import Mapping
from datetime import datetime

import pandas as pd
import pyarrow as pa

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.occupancy import Occupancy
from esus_pipeline.frames import OCCUPANCY_FORECAST, STEP, TIMESTAMP


def to_frame(forecast: Mapping[str, Occupancy], issued_at: datetime) -> pd.DataFrame:
    """Rows of frames.OCCUPANCY_FORECAST."""
    rooms = [_room(room, each, issued_at) for room, each in forecast.items()]
    return pa.concat_tables(rooms).to_pandas()


def _room(room: str, forecast: Occupancy, issued_at: datetime) -> pa.Table:
    steps = len(forecast.times)
    return OCCUPANCY_FORECAST.table(
        {
            "issued_at": pa.array([issued_at] * steps, TIMESTAMP),
            "room": [room] * steps,
            "valid_time": pa.array(forecast.times).cast(TIMESTAMP),
            "people": forecast.expected,
            "people_low": forecast.low,
            "people_high": forecast.high,
            "somebody": forecast.somebody,
            "habits_until": pa.array([forecast.until] * steps, TIMESTAMP),
            "habits_days": [forecast.days] * steps,
        }
    )


def expected_by_room(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Persons expected by start of the quarter of an hour (UTC), a column per room, of the rows of one issue."""
    return rows.pivot(index="valid_time", columns="room", values="people") if len(rows) else None


def occupancy_in_force(archive: Archive, as_of: datetime) -> pd.DataFrame:
    """The newest issue of frames.OCCUPANCY_FORECAST of the clock hour until `as_of`, on which a plan of then counts."""
    rows = archive.read(OCCUPANCY_FORECAST, as_of.replace(minute=0), as_of + STEP)
    return rows[rows["issued_at"] == rows["issued_at"].max()]
