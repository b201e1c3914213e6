"""How far back readings must be read to speak about [start, end), and the whole way from the archive to the tables.

Belongs here: the amount of history. Does not belong here: files; `read` is anything with the signature of
Archive.read.

Nearly all points are known from the last day. A setpoint that was last changed three weeks ago is still in force,
so points whose quantity may be older than a day are looked for day by day until a good reading is found.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from esus_pipeline.frames import RAW_BMS_READINGS, RHYTHM, Frame
from esus_pipeline.readings.clean import clean
from esus_pipeline.readings.plausibility import MEMORY
from esus_pipeline.readings.quality import Quality
from esus_pipeline.readings.rooms import RANKING, speak
from esus_pipeline.readings.sources import room_sources
from esus_pipeline.site import Site

_DAY = timedelta(days=1)
LOOKBACK = RANKING + MEMORY
"""What is read of all points before `start`: points are ranked over a day, and its first readings need witnesses."""

VERSION_AGE = timedelta(days=28)
"""A rhythm older than this is not in force any more."""


class Read(Protocol):
    """What Archive.read does: rows of a table with start <= time < end, `only` those with the values named."""

    def __call__(
        self,
        frame: Frame,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        columns: Sequence[str] | None = None,
        **only: Collection[Any],
    ) -> pd.DataFrame:
        """As Archive.read."""


def slow_points(site: Site) -> dict[int, timedelta]:
    """Points whose readings stay valid for longer than a day, and how long."""
    ages = {point.id: site.quantity(point.quantity).max_age for point in site.points}
    return {point: age for point, age in ages.items() if age > RANKING}


def with_context(read: Read, site: Site, start: datetime, end: datetime) -> pd.DataFrame:
    """Raw readings of [start, end) and all earlier ones that their clean series and room table depend on.

    Reads LOOKBACK of all points, then of each slow point as many UTC days before as it takes to meet a good reading
    or to pass its greatest age.
    """
    first, ages = start - LOOKBACK, slow_points(site)
    parts = [read(RAW_BMS_READINGS, first, end)]
    silent = ages.keys() - _heard(site, parts[0], start)
    while silent := {point for point in silent if first > start - ages[point]}:
        day = (first - timedelta(microseconds=1)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        parts.append(read(RAW_BMS_READINGS, day, first, point_id=sorted(silent)))
        silent -= _heard(site, parts[-1], first)
        first = day
    return pd.concat(parts, ignore_index=True)


def in_force(read: Read, frame: Frame, at: datetime) -> pd.DataFrame:
    """Rows of the newest version (of frames.RHYTHM or CONTROLLER_RHYTHM) that is valid on the UTC day of `at`."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    oldest = day - VERSION_AGE
    end = day + timedelta(microseconds=1)
    while day >= oldest:
        rows = read(frame, day, end)
        if len(rows):
            return rows[rows["valid_from"] == rows["valid_from"].max()].reset_index(drop=True)
        day, end = day - _DAY, day
    return frame.empty()


def tables(
    read: Read, site: Site, start: datetime, end: datetime, sourced: Collection[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Clean series with start <= timestamp < end; room table and room sources of the windows starting in [start, end).

    Sources are told of the quantities `sourced`. The span lies within one UTC day, which one version of the rhythm
    judges.
    """
    rhythm = in_force(read, RHYTHM, start)
    everything = clean(site, with_context(read, site, start, end), None, end, rhythm)
    window = everything[everything["timestamp"] >= start].reset_index(drop=True)
    rooms = speak(site, everything, start, end)
    return window, rooms.table(), room_sources(rooms, sourced, everything, rhythm)


def _heard(site: Site, raw: pd.DataFrame, before: datetime) -> set[int]:
    """Points with a good reading before that instant."""
    if raw.empty:
        return set()
    judged = clean(site, raw, None, before)
    return set(judged.loc[judged["quality"] == Quality.GOOD, "point_id"])
