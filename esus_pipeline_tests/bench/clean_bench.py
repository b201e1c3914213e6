"""Clean-series throughput against the obvious way: one pandas pass per point."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES, RAW_BMS_READINGS
from esus_pipeline.readings import Quality, clean
from esus_pipeline.readings.quality import WITNESS_AGE
from esus_pipeline.site import Site, load_site
from esus_pipeline_tests.bench.measure import measure

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
ROWS = 1_000_000


def rows() -> list[dict[str, object]]:
    """One row of the bench table; `ratio` is throughput against throughput. Both sides give the same table."""
    site = load_site("tmv23")
    raw = _readings(site)
    pd.testing.assert_frame_equal(clean(site, raw, None, END), _point_by_point(site, raw))
    ours = measure(lambda: clean(site, raw, None, END))
    other = measure(lambda: _point_by_point(site, raw))
    return [
        {
            "id": "b",
            "what": "clean series: one million readings / point by point with pandas",
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


def _point_by_point(site: Site, raw: pd.DataFrame) -> pd.DataFrame:
    points = {point.id: point for point in site.points}
    parts = []
    for point_id, series in raw.groupby("point_id"):
        point, part = points[int(str(point_id))], series.sort_values("timestamp")
        quantity = site.quantity(point.quantity)
        factor, offset = quantity.convert(point.unit) or (np.nan, np.nan)
        part = part.assign(
            room=point.room, quantity=point.quantity, unit=site.canonical_unit(point), quality=str(Quality.GOOD)
        )
        if np.isnan(factor):
            parts.append(part.assign(quality=str(Quality.UNIT)))
            continue
        part["value"] = part["value"] * factor + offset
        low, high = quantity.low, quantity.high
        inside = part["value"].between(-np.inf if low is None else low, np.inf if high is None else high)
        part.loc[~inside, "quality"] = str(Quality.OUT_OF_RANGE)
        if quantity.max_rate is not None:
            believable = part[inside]
            fast = _too_fast(believable, 1, quantity.max_rate) & _too_fast(believable, 2, quantity.max_rate)
            part.loc[fast[fast].index, "quality"] = str(Quality.RATE)
        parts.append(part)
    return CLEAN_SERIES.conform(pd.concat(parts, ignore_index=True))


def _too_fast(part: pd.DataFrame, back: int, max_rate: float) -> pd.Series:
    elapsed = part["timestamp"].diff(back)
    minutes = (elapsed.dt.total_seconds() / 60).clip(lower=1)
    return (elapsed <= WITNESS_AGE) & (part["value"].diff(back).abs() > max_rate * minutes)
