"""What is delivered: one entry per measurement, and which of the archive's rows are in force.

The schema is documented in docs/influxdb.md. Tags come from frozen identities alone (site, room, quantity, point id):
a changed tag would be a new series beside the old one. To add a measurement, add an entry to SINKS and, for a new
sink, a line to defs/delivery.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa

from esus_pipeline.archive import Archive
from esus_pipeline.frames import (
    BUILDING,
    CLEAN_SERIES,
    GAP,
    POINT_STATE,
    SAVINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
    Frame,
)
from esus_pipeline.influx.lines import Shape
from esus_pipeline.quality import MEMORY, REVISED, STATE_CODES
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site
from esus_pipeline.weather import MAX_AGE

_DAY = timedelta(days=1)
_EPOCH = pd.Timestamp(0, tz="UTC")
_REACH = timedelta(hours=61)
"""An issue is about no time later than this after it became known."""

JUDGED_BEFORE = 2 * _DAY
"""Days so long before a window are delivered with it, for a day is judged the morning after."""

Rows = Callable[[Archive, Site, datetime, datetime], Iterator[pd.DataFrame]]
"""Rows of a measurement that the windows in [start, end) decide on, in parts that fit into memory."""


@dataclass(frozen=True)
class Measurement:
    """One measurement: how rows become points (for the site), and which rows there are."""

    shape: Callable[[Site], Shape]
    rows: Rows


def of_windows(frame: Callable[[Site], Frame]) -> Rows:
    """Every stored row of the windows; the building's own points carry its name in the place of a room."""

    def rows(archive: Archive, site: Site, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
        for _, part in archive.read_days(frame(site), start, end):
            yield part.assign(room=part["room"].fillna(BUILDING))

    return rows


def in_force(frame: Frame, what: tuple[str, ...] = (), back: timedelta | None = None) -> Rows:
    """For every valid_time that issues of the windows are about, the row in force, with its `lead_hours`.

    In force for a time is the newest issue that was known by then (issued_at <= valid_time), for the future the newest
    of all; `what` names the columns that tell rows of one time apart. It is looked up among all stored issues, so that
    delivering an old range again never takes a time back to older knowledge. One pass over the days: what earlier
    issues say about later days is carried along. `back` says that issues may be stamped as early as the start of the
    day that this length before the window lies in; without it they are stamped with their window's end.
    """
    key = [*what, "valid_time"]

    def rows(archive: Archive, site: Site, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
        first = start + STEP if back is None else _midnight(start - back)
        last = end + _REACH
        known = frame.empty()
        day = _midnight(first - _REACH)
        while day < last:
            issues = archive.read(frame, day, day + _DAY)
            issues = issues[(issues["issued_at"] <= issues["valid_time"]) & (issues["valid_time"] >= first)]
            if len(issues):
                both = pd.concat([known, issues]) if len(known) else issues
                known = both.sort_values("issued_at", kind="stable").drop_duplicates(key, keep="last")
            day += _DAY
            settled = known[known["valid_time"] < min(day, last)]
            known = known[known["valid_time"] >= day]
            if len(settled):
                lead = (settled["valid_time"] - settled["issued_at"]).dt.total_seconds() / 3600
                yield settled.assign(lead_hours=lead).sort_values(key)

    return rows


def _states(archive: Archive, site: Site, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """What every point is believed to be, with the number that dashboards colour by and since when as a number."""
    for rows in of_windows(lambda _: POINT_STATE)(archive, site, start, end):
        since = (rows["since"] - _EPOCH).dt.total_seconds() * 1000
        yield rows.assign(state_code=rows["state"].map(STATE_CODES), since_ms=since)


def _gaps(archive: Archive, site: Site, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """Gaps of the ledger that judging the windows can have changed, back to the oldest that is looked for."""
    points = pd.DataFrame(
        [(point.id, point.room or BUILDING, point.quantity, point.controller) for point in site.points]
    )
    names = points.set_axis(["point_id", "room", "quantity", "controller"], axis=1)
    touched = pd.Timestamp(start - REVISED)
    for _, rows in archive.read_days(GAP, start - MEMORY, end):
        open_then = rows["gap_end"].isna() | (rows["gap_end"] > touched)
        found = rows[open_then | (rows["gap_start"] > touched)]
        minutes = (found["gap_end"] - found["gap_start"]).dt.total_seconds() / 60
        yield found.assign(minutes=minutes).merge(names, on="point_id")


def _judged_days(archive: Archive, site: Site, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """What the plans of the windows' days and of the days shortly before were worth, as far as they are judged."""
    for _, rows in archive.read_days(SAVINGS, _midnight(start) - JUDGED_BEFORE, end):
        yield rows


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_CLEAN = Shape("clean_series", "timestamp", ("room", "quantity", "point_id"), ("value",), ("quality",))
_WEATHER = Shape(
    "weather_forecast",
    "valid_time",
    (),
    ("ghi", "dni", "dhi", "temp_air", "wind_speed", "wind_gust", "cloud_cover", "lead_hours"),
    ("source", "kind"),
)
_SOLAR = Shape("solar_gain", "valid_time", ("room",), ("poa_global", "gain_open", "gain_shaded"))
_SCHEDULE = Shape(
    "shade_setpoint_schedule",
    "valid_time",
    ("room",),
    (
        "shade_position",
        "heating_setpoint",
        "cooling_setpoint",
        "predicted_temperature",
        "baseline_shade_position",
        "lead_hours",
    ),
    ("rule", "reason", "setpoint_reason"),
)
_STATE = Shape(
    "point_state",
    "window",
    ("room", "quantity", "point_id", "controller"),
    ("age_minutes", "bound_minutes", "since_ms", "state_code"),
    ("state",),
)
_GAP = Shape("gap", "gap_start", ("room", "quantity", "point_id", "controller"), ("minutes",), ("state",))
_SAVINGS = Shape(
    "savings",
    "day",
    ("room",),
    tuple(field.name for field in SAVINGS.schema if field.type == pa.float64()),
    ("outcome", "reason"),
)
PIPELINE = Shape(
    "pipeline",
    "window",
    (),
    (
        "poll_seconds",
        "rows",
        "points_expected",
        "points_heard",
        "newest_age_minutes",
        "late_readings",
        "rejected",
        "delivery_backlog",
        "failed_runs",
        "plan_age_minutes",
    ),
)
"""The pipeline about itself, one row per window; its rows come from Dagster (see defs/health)."""
ASSET_CHECK = Shape("asset_check", "window", ("asset", "check"), ("value",), ("result", "summary"))
"""What the newest evaluation of each asset check found; its rows come from Dagster, too."""


def _rooms(site: Site) -> Shape:
    return Shape("room_table", "timestamp", ("room",), tuple(room_frame(site).schema.names[2:]))


SINKS: dict[str, tuple[Measurement, ...]] = {
    "influx_clean_series": (
        Measurement(lambda _: _CLEAN, of_windows(lambda _: CLEAN_SERIES)),
        Measurement(_rooms, of_windows(room_frame)),
    ),
    "influx_weather_forecast": (Measurement(lambda _: _WEATHER, in_force(WEATHER_FORECAST, back=MAX_AGE)),),
    "influx_solar_gain": (Measurement(lambda _: _SOLAR, in_force(SOLAR_GAIN, ("room",), back=MAX_AGE)),),
    "influx_schedule": (
        Measurement(lambda _: _SCHEDULE, in_force(SHADE_SETPOINT_SCHEDULE, ("room",))),
        Measurement(lambda _: _SAVINGS, _judged_days),
    ),
    "influx_point_state": (Measurement(lambda _: _STATE, _states), Measurement(lambda _: _GAP, _gaps)),
}
"""What each sink asset delivers."""
