"""Conditions of what the pipeline keeps: states, plan, the building's list of points, disk. It reads files; no Dagster.

A look that cannot be made raises Blind: what it told before is then neither over nor new.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from esus_pipeline.alerts.condition import SETTLE, Condition, Severity
from esus_pipeline.alerts.points import point_conditions
from esus_pipeline.archive import Archive
from esus_pipeline.checks import listing
from esus_pipeline.checks.drift import ADVICE, differences
from esus_pipeline.frames import POINT_STATE, SHADE_SETPOINT_SCHEDULE, STEP, Frame
from esus_pipeline.site import Site

OLDEST_STATES = timedelta(hours=1)
"""Point states of a window that ended longer ago say nothing about now."""
OLDEST_PLAN = timedelta(minutes=50)
"""A plan is made every 15 minutes; three missed ones are no hiccup."""
LEAST_FREE_BYTES = 2 * 2**30
MOST_DIFFERENCES = 50
"""Points of the building's list that are told of one by one; the rest is counted."""


class Blind(Exception):  # noqa: N818  # no error, but that nothing could be seen
    """A look could not be made; the text says why."""


def points(site: Site, archive: Archive, now: datetime) -> list[Condition]:
    """Conditions of the newest judged window; none where nothing was ever judged. Raises Blind, CorruptDay."""
    newest = _newest(archive, POINT_STATE)
    if newest is None:
        return []
    if now - (newest + STEP) > OLDEST_STATES:
        raise Blind(f"the newest judgement of the points is of {newest:%Y-%m-%d %H:%M} UTC")
    return point_conditions(site, archive.read(POINT_STATE, newest, newest + STEP))


def plan(archive: Archive, now: datetime) -> Iterator[Condition]:
    """Whether the newest plan is too old. Raises CorruptDay."""
    newest = _newest(archive, SHADE_SETPOINT_SCHEDULE)
    if newest is not None and now - newest > OLDEST_PLAN:
        yield Condition(
            key="plan:stale",
            source="plan",
            group="plan",
            severity=Severity.ERROR,
            summary="no new shade and setpoint schedule is made",
            advice="Look at the newest runs; the building's own control goes on.",
            since=newest,
            link="/assets/shade_setpoint_schedule",
            settle=SETTLE,
        )


def point_list(site: Site, path: Path, now: datetime) -> Iterator[Condition]:
    """Points that vanished from the building's list, were renamed or are new in it; none without a list at `path`."""
    kept = listing.last(path)
    found = differences(site, kept, now) if kept is not None else []
    for each in found[:MOST_DIFFERENCES]:
        yield _in_list(f"{each.kind}:{each.point}", f"{each.subject}: {each.note}", each.since, (each.point,))
    if found[MOST_DIFFERENCES:]:
        yield _in_list("more", f"{len(found) - MOST_DIFFERENCES} more points vanished, were renamed or are new")


def _in_list(name: str, summary: str, since: datetime | None = None, points: tuple[int, ...] = ()) -> Condition:
    return Condition(
        key=f"listed:{name}",
        source="point list",
        group="the building's list of points",
        severity=Severity.WARNING,
        summary=summary,
        advice=ADVICE,
        since=since,
        link="/assets/raw_bms_readings?view=checks&checkDetail=schema_drift",
        points=points,
    )


def disk(archive: Archive) -> Iterator[Condition]:
    """Whether there is room, and whether every file is whole."""
    folder = next(each for each in (archive.root, *archive.root.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        yield Condition(
            key="disk:full",
            source="disk",
            group="disk",
            severity=Severity.ERROR,
            summary="the disk of the archive is nearly full",
            advice="Make room or enlarge the disk; writing stops when it is full.",
            details=(f"{free / 2**30:.1f} GiB free; keep at least {LEAST_FREE_BYTES / 2**30:.0f} GiB",),
        )
    damaged = archive.corrupt()
    if damaged:
        yield Condition(
            key="archive:corrupt",
            source="disk",
            group="disk",
            severity=Severity.WARNING,
            summary="files of the archive are damaged and were set aside",
            advice="Materialise their days again, from raw_bms_readings on, then delete the damaged files.",
            details=tuple(f"{path.parent.parent.name}/{path.name}" for path in damaged),
        )


def _newest(archive: Archive, frame: Frame) -> datetime | None:
    """The newest time of a table, from its newest file with rows."""
    for day in reversed(archive.days(frame)[-2:]):
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        stamps = archive.read(frame, start, start + timedelta(days=1), columns=[frame.time])[frame.time]
        if len(stamps):
            return pd.Timestamp(stamps.max()).to_pydatetime()
    return None
