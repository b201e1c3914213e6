"""The weeks that are scored: a month of a real building and six weeks of the twin, each with its training part.

Nothing was tuned on the scored weeks. The twin's training weeks have the losses, delays, spikes and stuck sensors
that it delivers by itself; its scored weeks have none, so that every fault in them is an injected one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from esus_pipeline.frames import RAW_BMS_READINGS
from esus_pipeline.simulator import delivery
from esus_pipeline.simulator import sensors as twin_sensors
from esus_pipeline.simulator import twin as twin_module
from esus_pipeline.simulator.delivery import Readings
from esus_pipeline.simulator.twin import Twin
from esus_pipeline.site import Point, Site, load_site

OU44 = Path(__file__).parents[3] / "shared" / "data" / "ou44" / "readings.parquet"

HELD_OUT = datetime(2017, 4, 7, tzinfo=UTC)

POLL = timedelta(minutes=3)
"""A window's readings are asked for so long after its end."""


@dataclass(frozen=True)
class World:
    """Readings of a building with their arrival; what lies before `start` is for training."""

    name: str
    site: Site
    raw: pd.DataFrame
    """frames.RAW_BMS_READINGS"""
    start: datetime
    end: datetime

    @property
    def weeks(self) -> float:
        """Scored weeks."""
        return (self.end - self.start) / timedelta(weeks=1)

    @property
    def training(self) -> pd.DataFrame:
        """Readings that may be learned from."""
        return self.raw[self.raw["timestamp"] < pd.Timestamp(self.start)]

    @property
    def scored(self) -> pd.DataFrame:
        """Readings of the weeks that are scored."""
        return self.raw[self.raw["timestamp"] >= pd.Timestamp(self.start)].reset_index(drop=True)


@cache
def ou44(
    start: datetime = datetime(2017, 4, 7, tzinfo=UTC), end: datetime = datetime(2017, 4, 21, tzinfo=UTC)
) -> World:
    """The recorded month: learned from 2017-03-21 to 04-07, scored from there to 04-21 (which holds Easter).

    The recording has one path for all; here each room, and what belongs to none, is a controller. It does not say
    when a reading arrived: two seconds to two minutes later, as of the twin.
    """
    site = load_site("ou44")
    raw = pd.read_parquet(OU44).rename(columns={"external_log_id": "point_id"})
    raw = raw[raw["timestamp"] < pd.Timestamp(end)]
    late = 2 + 118 * np.random.default_rng(44).uniform(size=len(raw)) ** 4
    raw["received_at"] = raw["timestamp"] + pd.to_timedelta(late.round(), unit="s")
    points = tuple(_below(point, "/OU44/") for point in site.points)
    return World("ou44", with_points(site, points), polled(raw), start, end)


def polled(raw: pd.DataFrame) -> pd.DataFrame:
    """The readings as the live polls receive them: three minutes after every quarter of an hour, up to it."""
    ends = [stamps.dt.as_unit("us").dt.ceil("15min") for stamps in (raw["received_at"] - POLL, raw["timestamp"])]
    received = ends[0].where(ends[0] > ends[1], ends[1]) + POLL
    return RAW_BMS_READINGS.conform(raw.assign(received_at=received))


def with_points(site: Site, points: tuple[Point, ...]) -> Site:
    """The site with other points; what it had remembered of its own is forgotten."""
    copy = site.model_copy(update={"points": points})
    copy.__dict__.pop("point_ids", None)
    return copy


def _below(point: Point, prefix: str) -> Point:
    return point.model_copy(update={"path": "/" + point.path.removeprefix(prefix)})


@cache
def twin(
    seed: int = 11,
    start: datetime = datetime(2026, 4, 13, tzinfo=UTC),
    trained: timedelta = timedelta(weeks=4),
    scored: timedelta = timedelta(weeks=2),
) -> World:
    """The twin: learned from the four weeks before `start`, scored in the two after it."""
    site, end = load_site("tmv23"), start + scored
    before = _readings(Twin(site, seed), site, start - trained, start)
    after = _readings(_Faultless(site, seed), site, start, end)
    raw = pd.concat([before, after], ignore_index=True)
    return World("twin", site, polled(raw), start, end)


class _Faultless(Twin):
    """The twin with nothing lost, late, disturbed or stuck."""

    def _log(self, number: int, truth: dict[tuple[str | None, str], np.ndarray]) -> dict[int, Readings]:
        """The readings of every point in one week."""
        delivers, sticks = twin_module.deliver, twin_sensors._stuck
        twin_module.deliver, twin_sensors._stuck = _punctual, lambda seed, name, time_s, seen: seen
        try:
            return super()._log(number, truth)
        finally:
            twin_module.deliver, twin_sensors._stuck = delivers, sticks


def _punctual(point: Point, seed: int, stamp: np.ndarray, value: np.ndarray) -> Readings:
    return Readings(stamp, value, stamp + delivery._usual_ms(seed, point, stamp))


def _readings(source: Twin, site: Site, start: datetime, end: datetime) -> pd.DataFrame:
    first, last = (int(edge.timestamp() * 1000) for edge in (start, end))
    found = source.readings(site.point_ids, first, last - 1, last + 10**9)
    parts = [
        pd.DataFrame({"point_id": point, "timestamp": r.stamp, "value": r.value, "received_at": r.arrival})
        for point, r in found.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    for name in ("timestamp", "received_at"):
        rows[name] = pd.to_datetime(rows[name], unit="ms", utc=True).dt.as_unit("us")
    return rows
