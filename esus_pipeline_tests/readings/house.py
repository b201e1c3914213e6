"""A small building and readings of it, for tests whose expectations are computed by hand."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pandas as pd

from esus_pipeline.frames import RAW_BMS_READINGS
from esus_pipeline.site import Point, Quantity, Site, load_site

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
"""Start of the window that the tests look at."""
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=15)

A, B = load_site("tmv23").room_ids[:2]

QUANTITIES = {
    "level": Quantity(unit="m", sampling="mean", max_age=timedelta(hours=2)),
    "slope": Quantity(unit="m", sampling="interpolate", max_age=timedelta(hours=2)),
    "state": Quantity(unit="state", low=0, high=10, sampling="last", max_age=timedelta(hours=2)),
    "order": Quantity(unit="degC", low=5, high=30, sampling="last", max_age=timedelta(days=31)),
}

POINTS: list[tuple[int, str | None, str, str]] = [
    (10, A, "level", "m"),
    (20, A, "slope", "m"),
    (30, A, "state", "state"),
    (40, A, "order", "degC"),
    (50, A, "air_temperature", "degF"),
    (60, A, "co2", "ppm"),
    (61, A, "co2", "ppm"),
    (70, B, "air_temperature", "degC"),
    (80, B, "humidity", "percent"),
    (90, B, "wind_speed", "furlong/h"),
    (91, None, "wind_speed", "m/s"),
    (92, None, "global_irradiance", "W/m2"),
    (93, None, "solar_intensity_south", "unknown"),
    (99, None, "outdoor_temperature", "K"),
]


@cache
def house() -> Site:
    """The rooms of TMV23 with a handful of points: at most 5..45 degC and 1 K/min, 200..5000 ppm and 400 ppm/min."""
    points = tuple(
        Point(id=id_, path=f"/p/{id_}", room=room, quantity=quantity, unit=unit, role="measurement")
        for id_, room, quantity, unit in POINTS
    )
    return load_site("tmv23").model_copy(update={"points": points, "quantities": QUANTITIES})


def raw(*rows: tuple[int, float, float], origin: datetime = NOON) -> pd.DataFrame:
    """Readings given as (point, minutes after noon, value)."""
    records: list[dict[str, Any]] = [
        {
            "point_id": point,
            "timestamp": pd.Timestamp(origin + minute * MINUTE).as_unit("us"),
            "value": float(value),
            "received_at": pd.Timestamp(origin + timedelta(days=1)).as_unit("us"),
        }
        for point, minute, value in rows
    ]
    return RAW_BMS_READINGS.conform(pd.DataFrame(records)) if records else RAW_BMS_READINGS.empty()
