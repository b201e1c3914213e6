"""The 15-minute windows that partition every asset, and how a run walks through its range of them.

A partition key is the START of its window in UTC, `%Y-%m-%d-%H:%M`: the key 2026-06-21-10:00 holds the readings with
10:00 <= timestamp < 10:15, and its plan is issued at 10:15.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import TimeWindow

from esus_pipeline.frames import STEP
from esus_pipeline.settings import Settings
from esus_pipeline.site import load_site

KEY_FORMAT = "%Y-%m-%d-%H:%M"

_SETTINGS = Settings.from_env()

WINDOWS = dg.TimeWindowPartitionsDefinition(
    cron_schedule="*/15 * * * *",
    start=(_SETTINGS.data_start or load_site(_SETTINGS.site).data_start).strftime("%Y-%m-%d-00:00"),
    fmt=KEY_FORMAT,
    timezone="UTC",
)


def key_of(instant: datetime) -> str:
    """Key of the window that an instant (with a zone) lies in."""
    return floor(instant).strftime(KEY_FORMAT)


def start_of(key: str) -> datetime:
    """Start of the window of that key."""
    return datetime.strptime(key, KEY_FORMAT).replace(tzinfo=UTC)


def floor(instant: datetime) -> datetime:
    """Start of the window that an instant (with a zone) lies in."""
    return datetime.fromtimestamp(instant.timestamp() // STEP.total_seconds() * STEP.total_seconds(), UTC)


def days(span: TimeWindow) -> Iterator[TimeWindow]:
    """The parts of a span by UTC day, in order, so that a long range needs the memory of one day."""
    start, end = span.start.astimezone(UTC), span.end.astimezone(UTC)
    while start < end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        yield TimeWindow(start, min(midnight, end))
        start = midnight


def window_ends(span: TimeWindow) -> list[datetime]:
    """Ends of the windows of a span: the instants that its plans are issued at."""
    count = round((span.end - span.start) / STEP)
    return [span.start.astimezone(UTC) + step * STEP for step in range(1, count + 1)]


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags by which one run works through all windows from `first` to `last` (keys, both included)."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
