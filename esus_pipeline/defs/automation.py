"""What runs by itself: the quarter-hour schedule, the sensor of gaps and the sensor of late readings.

They run by themselves where ESUS_AUTOMATION is on (the demo); in production the operator turns them on in the UI.
"""

from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterInstance, EventRecordsResult
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.tags import RUN_KEY_TAG

from esus_pipeline.defs import gaps
from esus_pipeline.defs.alerts import alert_sensor
from esus_pipeline.defs.checks import CHECKS
from esus_pipeline.defs.common import REPAIR_TAG, SCHEDULE_STATUS, SENSOR_STATUS, now
from esus_pipeline.defs.delivery import DELIVERY_JOB
from esus_pipeline.defs.jobs import (
    ASSETS,
    LIVE_TAGS,
    REPAIR_TAGS,
    UPKEEP,
    daily_rhythm,
    late_readings,
    nightly_reread,
    quarter_hour,
)
from esus_pipeline.defs.partitions import WINDOWS, floor, key_of, range_tags, start_of
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.readings import NIGHTLY, REACH, REPAIR, raw_bms_readings
from esus_pipeline.defs.recovery import ask_for_lost_retries
from esus_pipeline.defs.running import windows_under_way
from esus_pipeline.frames import STEP
from esus_pipeline.settings import Settings

GAP_HORIZON = timedelta(hours=Settings.from_env().gap_hours)
RANGES_PER_TICK = 4
EVENTS_PER_TICK = 2000

FROM_THE_FIRST = "0"
"""Cursor of an instance that had no event yet: all that come count."""


@dg.schedule(
    name="every_quarter_hour",
    cron_schedule="3-59/15 * * * *",
    execution_timezone="UTC",
    job=quarter_hour,
    default_status=SCHEDULE_STATUS,
)
def every_quarter_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Three minutes after each quarter of an hour: the window that ended then."""
    key = key_of(floor(context.scheduled_execution_time) - STEP)
    return dg.RunRequest(run_key=key, partition_key=key, tags=LIVE_TAGS)


@dg.sensor(
    name="gaps",
    job=quarter_hour,
    minimum_interval_seconds=120,
    default_status=SENSOR_STATUS,
)
def gap_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for the windows of the last ESUS_GAP_HOURS that have no schedule, at most once an hour each.

    And for retries that got lost, without which a backfill would never end, and gaps never be looked for again.
    """
    instance, time = context.instance, now()
    lost = ask_for_lost_retries(instance, time)
    if lost.asked:
        context.log.warning("The retry of %s got lost and is asked for again.", ", ".join(lost.asked))
    if lost.given_up:
        context.log.error("The retry of %s got lost twice and is not waited for any more.", ", ".join(lost.given_up))
    if instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]), limit=1):
        return dg.SkipReason("A backfill is under way; gaps are looked for when it has ended.")
    done = {start_of(key) for key in instance.get_materialized_partitions(shade_setpoint_schedule.key)}
    busy = windows_under_way(instance, apart_from=(late_readings.name, nightly_reread.name, DELIVERY_JOB))
    expected_from = max(floor(time - GAP_HORIZON), WINDOWS.start)
    missing = [window for window in gaps.missing_windows(expected_from, time, done) if not gaps.inside(window, busy)]
    if not missing:
        return dg.SkipReason(f"No gaps in the last {GAP_HORIZON}.")
    hour = f"{time:%Y-%m-%dT%H}"
    wanted = [_repair(*gap, "gap", hour) for gap in gaps.ranges(missing)]
    requests = {str(request.run_key): request for request in wanted}
    asked = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: list(requests)}))
    for run in asked:
        requests.pop(run.tags[RUN_KEY_TAG], None)
    if not requests:
        return dg.SkipReason(f"{len(missing)} windows are missing; all of them were asked for in this hour.")
    return dg.SensorResult(run_requests=list(requests.values())[:RANGES_PER_TICK])


@dg.sensor(
    name="late_readings",
    job=late_readings,
    minimum_interval_seconds=60,
    default_status=SENSOR_STATUS,
)
def late_readings_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Page through the events of the raw readings and compute again what late readings changed, in one ranged run."""
    events = _events_after(context.instance, context.cursor)
    if not events.records:
        return dg.SensorResult(cursor=context.cursor or FROM_THE_FIRST, skip_reason="No new raw readings.")
    cursor = str(events.records[-1].storage_id)
    repairs = [
        (record.partition_key, record.asset_materialization.metadata)
        for record in events.records
        if record.partition_key and record.asset_materialization and REPAIR in record.asset_materialization.metadata
    ]
    if not repairs:
        return dg.SensorResult(cursor=cursor, skip_reason="No readings came late.")
    first = min(start_of(window) for window, _ in repairs)
    last = max(start_of(str(metadata[REACH].value) if REACH in metadata else window) for window, metadata in repairs)
    return dg.SensorResult(cursor=cursor, run_requests=[_repair(first, last, "late", attempt=cursor)])


@dg.schedule(
    name="every_night_reread",
    cron_schedule="40 1 * * *",
    execution_timezone="UTC",
    job=nightly_reread,
    default_status=SCHEDULE_STATUS,
)
def every_night_reread(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Read the whole day before again: what came later than the live polls look back."""
    midnight = context.scheduled_execution_time.replace(hour=0, minute=0)
    first, last = key_of(midnight - timedelta(days=1)), key_of(midnight - STEP)
    return dg.RunRequest(run_key=first, tags={**range_tags(first, last), **REPAIR_TAGS, **NIGHTLY})


@dg.schedule(
    name="every_noon",
    cron_schedule="10 12 * * *",
    execution_timezone="UTC",
    job=daily_rhythm,
    default_status=SCHEDULE_STATUS,
)
def every_noon(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Learn what is normal from the four weeks until last midnight."""
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags=REPAIR_TAGS)


def _events_after(instance: DagsterInstance, cursor: str | None) -> EventRecordsResult:
    """Events after the cursor, oldest first; without a cursor the newest alone, to begin from."""
    if cursor is None:
        return instance.fetch_materializations(raw_bms_readings.key, limit=1)
    after = dg.AssetRecordsFilter(asset_key=raw_bms_readings.key, after_storage_id=int(cursor))
    return instance.fetch_materializations(after, limit=EVENTS_PER_TICK, ascending=True)


def _repair(first: datetime, last: datetime, why: str, attempt: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{why} {key_of(first)} {key_of(last)} {attempt}",
        tags={**range_tags(key_of(first), key_of(last)), **REPAIR_TAGS, REPAIR_TAG: why},
    )


JOBS = [quarter_hour, late_readings, nightly_reread, daily_rhythm]
SCHEDULES = [every_quarter_hour, every_night_reread, every_noon]
SENSORS = [gap_sensor, late_readings_sensor, alert_sensor]

__all__ = ["ASSETS", "CHECKS", "JOBS", "SCHEDULES", "SENSORS", "UPKEEP"]
