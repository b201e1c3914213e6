"""What is stored of a finished day and is needed to judge it. Reads the archive and computes nothing.

A day is a UTC day, as in the archive; where it ends at night by local time, as in Europe, a working day lies in one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.inputs import Array
from esus_pipeline.control.model.now import models_in_force
from esus_pipeline.control.model.past import Past, read_past
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.savings.strategy import COMMANDS
from esus_pipeline.frames import ELECTRICITY_PRICE, OPTIMAL_PLAN, ROOM_MODELS, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.prices import known_prices
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site

DAY = timedelta(days=1)
QUARTERS = DAY // STEP
BEFORE = 3 * DAY
"""Readings before the day: one to live through first, two from which the walls' temperature is known."""
RANGES = 60 * DAY
"""Nights before the day in which the ranges of the model in force are looked for."""
SETPOINTS = ("heating_setpoint", "cooling_setpoint")
"""Quantities of the room table that tell what the building's thermostats were set to."""
_PRICE_BEFORE = timedelta(hours=1)
_PRICE_VALID = pd.Timedelta(minutes=45)

Ranges = Mapping[str, tuple[float, float]]
"""Parameter of a room model -> 5th and 95th percentile."""


@dataclass(frozen=True)
class Known:
    """One day of a building, with the days before it that a replay needs."""

    site: Site
    day: datetime
    """Its start, UTC."""
    past: Past
    setpoints: pd.DataFrame
    """room, timestamp and what is measured of SETPOINTS."""
    plans: pd.DataFrame
    """The rows of frames.SHADE_SETPOINT_SCHEDULE that were in force, from the day before on."""
    optimum: pd.DataFrame
    """The rows of frames.OPTIMAL_PLAN about the day, as the optimum in force at its start had them."""
    electricity: Array
    """(96,) per kWh, all included, in each quarter of an hour of the day."""
    models: Mapping[str, RoomModel]
    """In force at the end of the day; a room that has learned none is absent."""
    ranges: Mapping[str, Ranges]
    """Of these models; a room whose ranges are not stored any more is absent."""


def read_known(archive: Archive, site: Site, day: datetime) -> Known:
    """What is stored of the UTC day that starts at `day`."""
    end = day + DAY
    models = models_in_force(archive, site, end)
    frame = room_frame(site)
    columns = ["room", "timestamp", *[name for name in SETPOINTS if name in frame.schema.names]]
    return Known(
        site=site,
        day=day,
        past=read_past(archive, site, day - BEFORE, end),
        setpoints=archive.read(frame, day - BEFORE, end, columns=columns, room=site.room_ids),
        plans=_plans(archive, day - DAY, end),
        optimum=_optimum(archive, day),
        electricity=_electricity(archive, site, day),
        models=models,
        ranges=_ranges(archive, models, end),
    )


def _plans(archive: Archive, start: datetime, end: datetime) -> pd.DataFrame:
    columns = ["issued_at", "room", "valid_time", *COMMANDS]
    parts = [
        part[part["valid_time"] == part["issued_at"]]
        for _, part in archive.read_days(SHADE_SETPOINT_SCHEDULE, start, end, columns=columns)
    ]
    return pd.concat([SHADE_SETPOINT_SCHEDULE.empty()[columns], *parts], ignore_index=True)


def _optimum(archive: Archive, day: datetime) -> pd.DataFrame:
    """Of the newest optimum that was computed by the day's first quarter of an hour."""
    rows = archive.read(OPTIMAL_PLAN, day - timedelta(hours=1), day + STEP)
    newest = rows[rows["issued_at"] == rows["issued_at"].max()]
    return newest[(newest["valid_time"] >= day) & (newest["valid_time"] < day + DAY)]


def _electricity(archive: Archive, site: Site, day: datetime) -> Array:
    stored = archive.read(ELECTRICITY_PRICE, day - _PRICE_BEFORE, day + DAY)
    prices = known_prices(site, stored, day + DAY)
    times = pd.date_range(day, periods=QUARTERS, freq=STEP)
    if prices is None:
        return np.full(QUARTERS, site.tariffs.electricity)
    told = prices.sort_index().reindex(times, method="ffill", tolerance=_PRICE_VALID).to_numpy(dtype=float)
    return np.where(np.isnan(told), site.tariffs.electricity, told)


def _ranges(archive: Archive, models: Mapping[str, RoomModel], end: datetime) -> dict[str, Ranges]:
    """The ranges are stored in the night in which a model was taken."""
    columns = ["room", "version", "trained_at", "taken", "ranges"]
    rows = archive.read(ROOM_MODELS, end - RANGES, end + timedelta(microseconds=1), columns=columns)
    found: dict[str, Ranges] = {}
    for row in rows[rows["taken"]].to_dict("records"):
        model = models.get(row["room"])
        if model is not None and model.version == row["version"]:
            found[row["room"]] = {
                name: (float(low), float(high)) for name, (low, high) in json.loads(row["ranges"]).items()
            }
    return found
