"""Rows in an archive for deliveries: forecasts, gains and plans with known values, and readings."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES, SHADE_SETPOINT_SCHEDULE, SOLAR_GAIN, STEP, WEATHER_FORECAST


def plan(issued_at: datetime, steps: int = 144, room: str = "a", heating: float = 20.0) -> pd.DataFrame:
    """One plan; its heating setpoint tells plans apart."""
    rows = {
        "issued_at": issued_at,
        "room": room,
        "valid_time": [issued_at + number * STEP for number in range(steps)],
        "shade_position": np.linspace(0, 1, steps),
        "heating_setpoint": heating,
        "cooling_setpoint": 25.0,
        "reason": 'sun, "strong"',
        "rule": "sun",
        "predicted_temperature": [None] * (steps - 1) + [21.0],
        "baseline_shade_position": 0.0,
        "setpoint_reason": "set back",
    }
    return SHADE_SETPOINT_SCHEDULE.conform(pd.DataFrame(rows))


def forecast(issued_at: datetime, first: datetime, steps: int = 240, ghi: float = 100.0) -> pd.DataFrame:
    rows = {
        "issued_at": issued_at,
        "valid_time": [first + number * STEP for number in range(steps)],
        "interval_minutes": np.int32(15),
        **dict.fromkeys(["dni", "dhi", "temp_air", "wind_speed", "wind_gust", "cloud_cover"], 1.0),
        "ghi": ghi,
        "source": "open-meteo",
        "kind": "forecast",
    }
    return WEATHER_FORECAST.conform(pd.DataFrame(rows))


def gain(issued_at: datetime, first: datetime, steps: int, gain_open: float) -> pd.DataFrame:
    rows = {
        "issued_at": issued_at,
        "room": "a",
        "valid_time": [first + number * STEP for number in range(steps)],
        "poa_global": 1.0,
        "gain_open": gain_open,
        "gain_shaded": 0.5,
    }
    return SOLAR_GAIN.conform(pd.DataFrame(rows))


def readings(start: datetime, count: int, points: int = 3) -> pd.DataFrame:
    """`count` readings a minute apart of each point; the last point is the building's own."""
    parts = [
        pd.DataFrame(
            {
                "point_id": point,
                "room": "a" if point < points - 1 else None,
                "quantity": "air_temperature",
                "timestamp": [start + timedelta(minutes=number) for number in range(count)],
                "value": np.arange(count) + point / 8,
                "unit": "degC",
                "quality": np.where(np.arange(count) % 10 == 0, "out_of_range", "good"),
            }
        )
        for point in range(points)
    ]
    return CLEAN_SERIES.conform(pd.concat(parts, ignore_index=True))
