"""Rows of the measurements `pipeline` and `asset_check`: how the windows went, and what the checks found.

From the events, the archive and the instance.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
from dagster import DagsterInstance, DagsterRunStatus, EventLogRecord, TimeWindow

from esus_pipeline.archive import Archive
from esus_pipeline.defs.checks import CHECKS, WORST_VALUE, judged_until, newest_evaluation
from esus_pipeline.defs.partitions import floor, key_of, window_ends
from esus_pipeline.defs.readings import OVERLAP, raw_bms_readings
from esus_pipeline.frames import RAW_BMS_READINGS, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.influx import ASSET_CHECK, PIPELINE
from esus_pipeline.site import Site

PLAN_MEMORY = timedelta(days=2)
"""An older plan is not looked for; its age is then not told."""

_PAGE = 2000
_FAILED = {dg.AssetCheckSeverity.WARN: "failed", dg.AssetCheckSeverity.ERROR: "error"}


def health(instance: DagsterInstance, archive: Archive, site: Site, day: TimeWindow, gauge: int | None) -> pd.DataFrame:
    """One row per window of a UTC day (or part of it), columns as influx.PIPELINE; what is not known is missing.

    rows, points_heard: readings in the archive with stamps in the window. poll_seconds, late_readings, rejected: of the
    poll, told for windows that were polled alone. newest_age_minutes: as the poll saw it, else from the archive.
    failed_runs: runs that failed within the window. delivery_backlog: `gauge`, at the newest window alone.
    """
    ends = window_ends(day)
    table = pd.DataFrame({"window": pd.DatetimeIndex([end - STEP for end in ends]).as_unit("us")})
    readings = archive.read(RAW_BMS_READINGS, day.start - OVERLAP, day.end, columns=["timestamp", "point_id"])
    window = readings["timestamp"].dt.floor("15min")
    table["rows"] = table["window"].map(window.value_counts()).fillna(0)
    table["points_heard"] = table["window"].map(readings.groupby(window)["point_id"].nunique()).fillna(0)
    table["points_expected"] = float(len(site.points))
    stamps = readings["timestamp"].sort_values()
    plans = archive.read(SHADE_SETPOINT_SCHEDULE, day.start - PLAN_MEMORY, day.end + STEP, columns=["issued_at"])
    issued = plans["issued_at"].drop_duplicates().sort_values()
    polls = _polls(instance, ends)
    told = [polls.get(end, {}) for end in ends]
    ages = [_age_minutes(stamps, end, strictly=True) for end in ends]
    seen = [poll.get("newest_reading_age_seconds") for poll in told]
    table["newest_age_minutes"] = [s / 60 if s is not None else age for s, age in zip(seen, ages, strict=True)]
    table["plan_age_minutes"] = [_age_minutes(issued, end, strictly=False) for end in ends]
    table["poll_seconds"] = [poll.get("duration_seconds") for poll in told]
    table["late_readings"] = [poll.get("late_readings") for poll in told]
    table["rejected"] = [poll.get("rejected") for poll in told]
    table["failed_runs"] = table["window"].map(_failures(instance, day)).fillna(0)
    table["delivery_backlog"] = [gauge if end == ends[-1] else None for end in ends]
    return table.astype(dict.fromkeys(PIPELINE.numbers, "float64"))


def check_results(instance: DagsterInstance) -> pd.DataFrame:
    """The newest evaluation of every check, columns as influx.ASSET_CHECK; the window is the newest that it judged.

    result: passed, failed (a warning) or error. value: the worst value, in the unit that the summary names.
    """
    rows = []
    for check in CHECKS:
        for key in check.check_keys:
            newest = newest_evaluation(instance, key)
            until = judged_until(newest) if newest else None
            if newest is None or until is None:
                continue
            value = newest.metadata.get(WORST_VALUE)
            rows.append(
                {
                    "window": floor(until - timedelta(microseconds=1)),
                    "asset": key.asset_key.to_user_string(),
                    "check": key.name,
                    "value": None if value is None else float(str(value.value)),
                    "result": "passed" if newest.passed else _FAILED[newest.severity],
                    "summary": newest.description,
                }
            )
    names = [ASSET_CHECK.time, *ASSET_CHECK.tags, *ASSET_CHECK.numbers, *ASSET_CHECK.texts]
    return pd.DataFrame(rows, columns=names).astype({"value": "float64"})


def _age_minutes(stamps: pd.Series, end: datetime, strictly: bool) -> float | None:
    """Age at `end` of the newest stamp before it (or at it, unless `strictly`)."""
    known = stamps.searchsorted(pd.Timestamp(end), side="left" if strictly else "right")
    return (pd.Timestamp(end) - stamps.iloc[int(known) - 1]).total_seconds() / 60 if known else None


def _polls(instance: DagsterInstance, ends: list[datetime]) -> dict[datetime, dict[str, Any]]:
    """By the end of its window, the metadata of the newest poll that was of this window alone."""
    by_key = {key_of(end - STEP): end for end in ends}
    alone: dict[str, bool] = {}
    found: dict[datetime, dict[str, Any]] = {}
    wanted = dg.AssetRecordsFilter(asset_key=raw_bms_readings.key, asset_partitions=list(by_key))
    for record in _pages(instance, wanted):
        event, run_id = record.asset_materialization, record.run_id
        if event is None or event.partition is None or "points_expected" not in event.metadata:
            continue
        if run_id not in alone:
            run = instance.get_run_by_id(run_id)
            alone[run_id] = run is not None and "dagster/partition" in run.tags
        if alone[run_id]:
            values = {name: value.value for name, value in event.metadata.items()}
            found.setdefault(by_key[event.partition], values)
    return found


def _pages(instance: DagsterInstance, wanted: dg.AssetRecordsFilter) -> Iterator[EventLogRecord]:
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
        yield from page.records
        cursor, more = page.cursor, page.has_more


def _failures(instance: DagsterInstance, day: TimeWindow) -> dict[pd.Timestamp, int]:
    """By window, the runs that failed in it."""
    failed = dg.RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=day.start, updated_before=day.end)
    ends = [record.end_time for record in instance.get_run_records(failed) if record.end_time]
    return dict(Counter(pd.Timestamp(end, unit="s", tz="UTC").floor("15min") for end in ends))
