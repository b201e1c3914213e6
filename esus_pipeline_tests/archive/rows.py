"""Rows for the archive's tests."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import RAW_BMS_READINGS

DAY = datetime(2026, 6, 21, tzinfo=UTC)
RECEIVED = DAY + timedelta(days=2)


def readings(
    points: list[int],
    start: datetime,
    count: int,
    minutes: float = 5,
    value: float = 20.0,
    received: datetime = RECEIVED,
) -> pd.DataFrame:
    """`count` readings of each point, `minutes` apart; values count up from `value` by 0.5."""
    times = pd.date_range(start, periods=count, freq=pd.Timedelta(minutes=minutes), unit="us")
    rows = pd.DataFrame(
        {
            "point_id": np.repeat(points, count),
            "timestamp": np.tile(times, len(points)),
            "value": np.tile(value + 0.5 * np.arange(count), len(points)),
            "received_at": pd.Timestamp(received).as_unit("us"),
        }
    )
    return RAW_BMS_READINGS.conform(rows)
