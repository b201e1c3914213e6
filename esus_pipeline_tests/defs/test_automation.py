"""The schedule and the sensors on a real instance, with the demo's own storage."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from esus_pipeline.definitions import defs
from esus_pipeline.defs import automation
from esus_pipeline.defs.automation import every_quarter_hour, gap_sensor, late_readings_sensor
from esus_pipeline.defs.common import REPAIR_TAG
from esus_pipeline.defs.jobs import late_readings, quarter_hour
from esus_pipeline.defs.partitions import floor, key_of
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.readings import REPAIR, raw_bms_readings
from esus_pipeline.defs.running import UNFINISHED
from esus_pipeline.frames import STEP

DAY = floor(datetime.now(UTC)).replace(hour=0, minute=0) - timedelta(days=1)
NOW = DAY + timedelta(hours=12)
REPOSITORY = defs.get_repository_def()
ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("esus_pipeline"), "__repository__")


def key(clock: str) -> str:
    return f"{DAY:%Y-%m-%d}-{clock}"


# --- the schedule


@pytest.mark.parametrize(
    ("tick", "window"),
    [
        (timedelta(hours=10, minutes=18), timedelta(hours=10)),
        (timedelta(hours=10, minutes=33), timedelta(hours=10, minutes=15)),
        (timedelta(minutes=3), -STEP),  # 00:03 -> 23:45 of the day before
        (timedelta(minutes=18), timedelta(0)),
        (timedelta(days=-40, hours=10, minutes=18), timedelta(days=-40, hours=10)),
    ],
)
def test_a_tick_materialises_the_window_that_ended_three_minutes_before_it_however_late_it_is(instance, tick, window):
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=DAY + tick, repository_def=REPOSITORY
    )
    [request] = every_quarter_hour.evaluate_tick(context).run_requests
    assert request.partition_key == (DAY + window).strftime("%Y-%m-%d-%H:%M")
    assert request.run_key == request.partition_key
    assert int(request.tags["dagster/priority"]) > 0
    assert request.tags["dagster/max_runtime"] == "900"


# --- the gap sensor


@pytest.fixture
def three_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 12:00, and the windows from 09:00 to 11:30 should be there."""
    monkeypatch.setattr(automation, "now", lambda: NOW)
    monkeypatch.setattr(automation, "GAP_HORIZON", timedelta(hours=3))


def materialise(instance: dg.DagsterInstance, *clocks: str, asset: dg.AssetKey = shade_setpoint_schedule.key) -> None:
    for clock in clocks:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key(clock)))


def add_run(instance: dg.DagsterInstance, status: DagsterRunStatus, tags: dict[str, str], job: str) -> None:
    origin = RemoteJobOrigin(ORIGIN, job)
    instance.add_run(dg.DagsterRun(job, str(uuid4()), status=status, tags=tags, remote_job_origin=origin))


def gap_tick(instance: dg.DagsterInstance):
    return gap_sensor.evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=REPOSITORY))


def asked_ranges(tick) -> list[tuple[str, str]]:
    return [
        (request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"])
        for request in tick.run_requests
    ]


HALF = ("09:00", "09:15", "09:45", "10:00", "10:15")


@pytest.mark.usefixtures("three_hours")
def test_missing_windows_are_asked_for_as_ranges_of_low_priority(instance):
    materialise(instance, *HALF)
    tick = gap_tick(instance)
    assert asked_ranges(tick) == [(key("09:30"), key("09:30")), (key("10:30"), key("11:30"))]
    for request in tick.run_requests:
        assert request.tags[REPAIR_TAG] == "gap"
        assert int(request.tags["dagster/priority"]) < 0


@pytest.mark.usefixtures("three_hours")
def test_an_empty_instance_is_filled_by_one_range_and_a_full_one_asks_for_nothing(instance):
    assert asked_ranges(gap_tick(instance)) == [(key("09:00"), key("11:30"))]
    materialise(instance, *HALF, "09:30", "10:30", "10:45", "11:00", "11:15", "11:30")
    tick = gap_tick(instance)
    assert tick.run_requests == []
    assert "No gaps" in tick.skip_message


@pytest.mark.usefixtures("three_hours")
@pytest.mark.parametrize("status", UNFINISHED)
@pytest.mark.parametrize("job", [quarter_hour.name, "__ASSET_JOB"])
def test_windows_of_a_run_under_way_are_left_to_it(instance, status, job):
    materialise(instance, *HALF)
    add_run(instance, status, {"dagster/partition": key("09:30")}, job)
    bounds = {
        "dagster/asset_partition_range_start": key("10:30"),
        "dagster/asset_partition_range_end": key("11:15"),
    }
    add_run(instance, status, bounds, job)
    assert asked_ranges(gap_tick(instance)) == [(key("11:30"), key("11:30"))]


@pytest.mark.usefixtures("three_hours")
def test_runs_that_ended_or_only_clean_do_not_hold_a_gap(instance):
    materialise(instance, *HALF)
    for status in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS):
        add_run(instance, status, {"dagster/partition": key("09:30")}, quarter_hour.name)
    add_run(instance, DagsterRunStatus.STARTED, {"dagster/partition": key("09:30")}, late_readings.name)
    assert (key("09:30"), key("09:30")) in asked_ranges(gap_tick(instance))


def test_a_backfill_that_waits_for_a_lost_retry_is_helped(instance, monkeypatch):
    monkeypatch.setattr(automation, "now", lambda: datetime.now(UTC) + timedelta(minutes=2))
    instance.add_backfill(
        PartitionBackfill("waits", BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=0.0)
    )
    add_run(instance, DagsterRunStatus.STARTED, {"dagster/backfill": "waits"}, quarter_hour.name)
    [run] = instance.get_runs()
    instance.report_run_failed(run)  # told of it, a daemon would try again; here none does
    assert gap_tick(instance).run_requests == []
    assert "esus/retry_asked_for" in instance.get_run_by_id(run.run_id).tags


@pytest.mark.usefixtures("three_hours")
def test_nothing_is_asked_for_while_a_backfill_is_under_way(instance):
    backfill = PartitionBackfill(
        "busy", BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=NOW.timestamp()
    )
    instance.add_backfill(backfill)
    tick = gap_tick(instance)
    assert tick.run_requests == []
    assert "backfill" in tick.skip_message
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert asked_ranges(gap_tick(instance)) == [(key("09:00"), key("11:30"))]


def fail_as_asked(instance: dg.DagsterInstance, tick) -> None:
    """What becomes of requests whose runs fail; the sensor daemon puts the run key into the tags."""
    for request in tick.run_requests:
        tags = {**request.tags, "dagster/run_key": request.run_key}
        add_run(instance, DagsterRunStatus.FAILURE, tags, quarter_hour.name)


@pytest.mark.usefixtures("three_hours")
def test_a_gap_that_stays_is_asked_for_once_an_hour(instance, monkeypatch):
    materialise(instance, *HALF)
    first = gap_tick(instance)
    fail_as_asked(instance, first)
    again = gap_tick(instance)
    assert again.run_requests == []
    assert "asked for in this hour" in again.skip_message
    monkeypatch.setattr(automation, "now", lambda: NOW + timedelta(minutes=59))
    monkeypatch.setattr(automation, "GAP_HORIZON", timedelta(hours=3, minutes=59))
    fail_as_asked(instance, gap_tick(instance))  # the last range has grown and is another one
    monkeypatch.setattr(automation, "now", lambda: NOW + timedelta(hours=1))
    monkeypatch.setattr(automation, "GAP_HORIZON", timedelta(hours=4))
    assert (key("09:30"), key("09:30")) in asked_ranges(gap_tick(instance))


@pytest.mark.usefixtures("three_hours")
def test_gaps_that_cannot_be_healed_do_not_keep_later_ones_waiting(instance):
    materialise(instance, "09:15", "09:45", "10:15", "10:45", "11:15")
    first = gap_tick(instance)
    assert asked_ranges(first) == [(key(clock), key(clock)) for clock in ("09:00", "09:30", "10:00", "10:30")]
    fail_as_asked(instance, first)
    assert asked_ranges(gap_tick(instance)) == [(key("11:00"), key("11:00")), (key("11:30"), key("11:30"))]


# --- the sensor of late readings


def late_tick(instance: dg.DagsterInstance, cursor: str | None):
    context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=REPOSITORY)
    return late_readings_sensor.evaluate_tick(context)


def poll(instance: dg.DagsterInstance, clock: str, repaired: bool = False) -> None:
    metadata = {REPAIR: True} if repaired else {}
    event = dg.AssetMaterialization(raw_bms_readings.key, partition=key(clock), metadata=metadata)
    instance.report_runless_asset_event(event)


def test_it_begins_at_the_newest_event_and_not_with_the_whole_past(instance):
    poll(instance, "08:00", repaired=True)
    poll(instance, "09:00")
    begin = late_tick(instance, None)
    assert begin.run_requests == []
    assert late_tick(instance, begin.cursor).run_requests == []
    poll(instance, "08:15", repaired=True)
    assert asked_ranges(late_tick(instance, begin.cursor)) == [(key("08:15"), key("08:15"))]


def test_on_a_new_instance_nothing_is_lost_between_its_first_ticks(instance):
    begin = late_tick(instance, None)
    assert begin.run_requests == []
    poll(instance, "08:15", repaired=True)
    poll(instance, "09:00")
    assert asked_ranges(late_tick(instance, begin.cursor)) == [(key("08:15"), key("08:15"))]


def test_repairs_are_merged_into_one_ranged_run_that_cleans(instance):
    begin = late_tick(instance, None).cursor
    for clock, repaired in [("10:00", False), ("08:30", True), ("07:15", True), ("08:00", True), ("10:15", False)]:
        poll(instance, clock, repaired)
    tick = late_tick(instance, begin)
    assert asked_ranges(tick) == [(key("07:15"), key("08:30"))]
    [request] = tick.run_requests
    assert request.tags[REPAIR_TAG] == "late"
    assert late_readings_sensor.job_name == late_readings.name
    assert late_tick(instance, tick.cursor).run_requests == []


def test_without_late_readings_it_skips_and_its_cursor_moves(instance):
    begin = late_tick(instance, None).cursor
    poll(instance, "10:00")
    tick = late_tick(instance, begin)
    assert tick.run_requests == []
    assert tick.skip_message == "No readings came late."
    assert int(tick.cursor) > int(begin)
    assert late_tick(instance, tick.cursor).cursor == tick.cursor


def test_nothing_is_lost_when_the_events_fill_several_pages(instance, monkeypatch):
    monkeypatch.setattr(automation, "EVENTS_PER_TICK", 3)
    cursor = late_tick(instance, None).cursor
    clocks = [key_of(NOW - step * STEP)[-5:] for step in range(10)]
    for number, clock in enumerate(clocks):
        poll(instance, clock, repaired=number % 2 == 0)
    asked, run_keys = set(), []
    for _ in range(5):
        tick = late_tick(instance, cursor)
        cursor = tick.cursor
        asked |= {bound for bounds in asked_ranges(tick) for bound in bounds}
        run_keys += [request.run_key for request in tick.run_requests]
    assert asked >= {key(clock) for clock in clocks[::2]}
    assert len(run_keys) == len(set(run_keys))
    assert late_tick(instance, cursor).run_requests == []


def test_an_interrupted_tick_asks_for_the_same_run_again_and_the_run_key_makes_it_one(instance):
    begin = late_tick(instance, None).cursor
    poll(instance, "08:15", repaired=True)
    once, twice = late_tick(instance, begin), late_tick(instance, begin)
    assert [request.run_key for request in once.run_requests] == [request.run_key for request in twice.run_requests]
