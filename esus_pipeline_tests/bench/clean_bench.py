"""Clean-series throughput: all points at once against the obvious way, one sensor after another."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from esus_pipeline.frames import RAW_BMS_READINGS
from esus_pipeline.readings import clean
from esus_pipeline.site import Site, load_site
from esus_pipeline_tests.bench.measure import measure

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
ROWS = 1_000_000


def rows() -> list[dict[str, object]]:
    """One row of the bench table; `ratio` is throughput against throughput. Both sides give the same table."""
    site = load_site("tmv23")
    raw = _readings(site)
    pd.testing.assert_frame_equal(clean(site, raw, None, END), _sensor_by_sensor(site, raw))
    ours = measure(lambda: clean(site, raw, None, END))
    other = measure(lambda: _sensor_by_sensor(site, raw))
    return [
        {
            "id": "b",
            "what": "clean series: one million readings at once / sensor by sensor",
            "ours": round(len(raw) / ours.seconds),
            "other": round(len(raw) / other.seconds),
            "ratio": round(other.seconds / ours.seconds, 2),
            "unit": "rows/s",
            "peak_mb": round(ours.peak_mb),
        }
    ]


def _readings(site: Site) -> pd.DataFrame:
    """A month or so of all points in the order in which a poller receives them: time by time."""
    chance = np.random.default_rng(0)
    steps = ROWS // len(site.points)
    times = pd.date_range(START, periods=steps, freq="5min", unit="us")
    value = chance.normal(21, 4, (steps, len(site.points))).cumsum(axis=0) / 10 % 60
    return RAW_BMS_READINGS.conform(
        pd.DataFrame(
            {
                "point_id": np.tile(site.point_ids, steps),
                "timestamp": np.repeat(times, len(site.points)),
                "value": value.ravel(),
                "received_at": np.repeat(times, len(site.points)),
            }
        )
    )


def _sensor_by_sensor(site: Site, raw: pd.DataFrame) -> pd.DataFrame:
    """The logs of one quantity of one room together, because duplicates of a sensor are held against each other."""
    sensor = raw["point_id"].map({point.id: (point.room or "", point.quantity) for point in site.points})
    parts = [clean(site, rows, None, END) for _, rows in raw.groupby(sensor)]
    return pd.concat(parts).sort_values(["point_id", "timestamp"], ignore_index=True)
