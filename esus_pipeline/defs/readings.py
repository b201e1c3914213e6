"""Assets `raw_bms_readings` and `clean_series`: the building is polled, and its readings are cleaned."""

from collections import Counter
from datetime import datetime, timedelta

import dagster as dg
import pandas as pd

from esus_pipeline.archive import Archive, Merge
from esus_pipeline.bms import BmsError, BmsUnreachable, Poll
from esus_pipeline.control.measured import sourced
from esus_pipeline.defs.common import REPAIR_TAG, now, window_asset
from esus_pipeline.defs.partitions import KEY_FORMAT, WINDOWS, days, floor, key_of
from esus_pipeline.defs.resources import BmsResource, DataResource, SiteResource
from esus_pipeline.frames import CLEAN_SERIES, QUARANTINE, RAW_BMS_READINGS, ROOM_SOURCES
from esus_pipeline.readings import reach, room_frame, tables, unclean
from esus_pipeline.site import Site

LIVE = timedelta(hours=1)
"""A window that ended within this is polled with the overlap, for the sake of readings that arrived late."""

OVERLAP = timedelta(hours=9)
"""What a live poll reads again before its window; the building has been seen to deliver 8 hours late."""

REPAIR = "repaired_by_late_readings"
"""Metadata of the event of an older window into which late readings came."""

REACH = "last_window"
"""Metadata of the same event: key of the last older window that depends on those readings."""

NIGHTLY = {REPAIR_TAG: "nightly"}
"""Tags of a run that reads a whole day again: nothing in it cleans, so what has changed is announced."""


@window_asset(RAW_BMS_READINGS, "readings", {"parquet"})
def raw_bms_readings(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource, bms: BmsResource
) -> dg.MaterializeResult:
    """Poll the building for a window, or for a range of them day by day."""
    building, archive, span = site.load(), data.archive(), context.partition_time_window
    started, totals = now(), Counter[str]()
    nightly = context.run.tags.get(REPAIR_TAG) == NIGHTLY[REPAIR_TAG]
    overlap = OVERLAP if started - span.end <= LIVE and len(context.partition_keys) == 1 else timedelta()
    heard: set[int] = set()
    newest: pd.Timestamp | None = None
    failed: dict[int, str] = {}
    try:
        with bms.client(building) as client:
            for day in days(span):
                poll = client.read(building.point_ids, day.start - overlap, day.end)
                merge = _store(archive, poll)
                fresh = poll.readings[poll.readings["timestamp"] >= day.start]
                heard |= set(fresh["point_id"])
                newest = fresh["timestamp"].max() if len(fresh) else newest
                failed |= poll.failed
                totals.update(_counts(poll, merge))
                since, until = (day.start, floor(started)) if nightly else (day.start - overlap, day.start)
                late = _late(building, archive, merge, since, day.end if nightly else day.start)
                totals["late_readings"] += _announce_late(context, archive, late, until)
    except BmsError as error:
        if isinstance(error, BmsUnreachable) and error.poll is not None:
            _store(archive, error.poll)
        raise dg.Failure(f"The building could not be read: {error}", allow_retries=False) from None
    if failed:
        context.log.warning(
            "%d points could not be read; the next polls ask again: %s", len(failed), dict(list(failed.items())[:10])
        )
    return dg.MaterializeResult(
        metadata={
            **totals,
            "points_heard": len(heard),
            "points_expected": len(building.points),
            "points_failed": len(failed),
            "newest_reading_age_seconds": (started - newest).total_seconds() if newest is not None else None,
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


def _store(archive: Archive, poll: Poll) -> Merge:
    merge = archive.merge(RAW_BMS_READINGS, poll.readings, compare=("value",))
    archive.merge(QUARANTINE, pd.concat([poll.rejected, _superseded(merge.superseded)], ignore_index=True), compare=())
    return merge


def _superseded(rows: pd.DataFrame) -> pd.DataFrame:
    """Stored readings that a later answer replaced, kept for the audit."""
    if rows.empty:
        return QUARANTINE.empty()
    stamps = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return QUARANTINE.conform(
        pd.DataFrame(
            {
                "received_at": now(),
                "source": "archive",
                "reason": "superseded",
                "point_id": rows["point_id"],
                "record": rows["point_id"].astype(str) + " " + stamps + " " + rows["value"].map(repr),
            }
        )
    )


def _counts(poll: Poll, merge: Merge) -> dict[str, int]:
    return {
        "rows": len(poll.readings),
        "rows_new": merge.new,
        "rows_updated": merge.updated,
        "rejected": len(poll.rejected),
        "repeated": poll.duplicates + poll.at_end,
        "requests": poll.requests,
    }


def _late(site: Site, archive: Archive, merge: Merge, start: datetime, end: datetime) -> pd.DataFrame:
    """Readings before `end` that are new or have another value, and those since `start` that were never cleaned."""
    changed = merge.changed.loc[merge.changed["timestamp"] < end, ["point_id", "timestamp"]]
    forgotten = unclean(archive.read, room_frame(site), start, end)
    late = pd.concat([changed, forgotten], ignore_index=True).drop_duplicates()
    return late[late["timestamp"] >= WINDOWS.start]


def _announce_late(context: dg.AssetExecutionContext, archive: Archive, late: pd.DataFrame, until: datetime) -> int:
    """One event for each older window that late readings went into; the sensor of late readings listens."""
    if late.empty:
        return 0
    last = key_of(reach(archive.read, late, until))
    for window, rows in late["timestamp"].dt.floor("15min").value_counts().sort_index().items():
        context.log_event(
            dg.AssetMaterialization(
                asset_key=context.asset_key,
                partition=pd.Timestamp(str(window)).strftime(KEY_FORMAT),
                metadata={REPAIR: True, "rows": int(rows), REACH: last},
            )
        )
    return len(late)


@window_asset(CLEAN_SERIES, "readings", {"parquet", "pandas"}, deps=[raw_bms_readings])
def clean_series(context: dg.AssetExecutionContext, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Clean the readings of the windows and write the room table, and where its values come from, beside them."""
    building, archive, started = site.load(), data.archive(), now()
    frame, qualities, filled, cells = room_frame(building), Counter[str](), 0, 0
    for day in days(context.partition_time_window):
        series, rooms, sources = tables(archive.read, building, day.start, day.end, sourced(building))
        archive.replace(CLEAN_SERIES, series, day.start, day.end)
        archive.replace(ROOM_SOURCES, sources, day.start, day.end)
        archive.replace(frame, rooms, day.start, day.end)
        qualities.update(series["quality"])
        filled += int(rooms.drop(columns=["room", "timestamp"]).notna().sum().sum())
        cells += len(rooms) * (len(rooms.columns) - 2)
    return dg.MaterializeResult(
        metadata={
            "rows": qualities.total(),
            **{f"rows_{quality}": count for quality, count in sorted(qualities.items())},
            "room_table_filled_cells": filled,
            "room_table_cells": cells,
            "duration_seconds": (now() - started).total_seconds(),
        }
    )
