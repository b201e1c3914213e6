from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from esus_pipeline.defs.recovery import LostRetries, ask_for_lost_retries, fail_orphaned_runs, note_failures_from_now_on

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("esus_pipeline"), "__repository__"), "quarter_hour"
)
NONE = LostRetries([], [])
UNDER_WAY = {DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING}


def test_runs_that_were_under_way_fail_and_all_others_stay_as_they_are(instance):
    for status in DagsterRunStatus:
        instance.add_run(dg.DagsterRun("quarter_hour", str(uuid4()), status=status, remote_job_origin=ORIGIN))
    before = {run.run_id: run.status for run in instance.get_runs()}
    failed = fail_orphaned_runs(instance)
    assert set(failed) == {run_id for run_id, status in before.items() if status in UNDER_WAY}
    after = {run.run_id: run.status for run in instance.get_runs()}
    assert {after[run_id] for run_id in failed} == {DagsterRunStatus.FAILURE}
    assert all(after[run_id] == status for run_id, status in before.items() if run_id not in failed)
    assert fail_orphaned_runs(instance) == []


def test_a_recovered_run_counts_as_a_crash_so_that_it_is_tried_again(instance):
    run = dg.DagsterRun("quarter_hour", str(uuid4()), status=DagsterRunStatus.STARTED, remote_job_origin=ORIGIN)
    instance.add_run(run)
    fail_orphaned_runs(instance)
    tags = instance.get_run_by_id(run.run_id).tags
    assert tags["dagster/will_retry"] == "true"
    assert tags.get("dagster/failure_reason") != "STEP_FAILURE"


def test_a_run_that_fails_before_the_daemon_s_first_look_is_seen_by_it_and_seen_once(instance, monkeypatch):
    note_failures_from_now_on(instance)
    run = dg.DagsterRun("quarter_hour", str(uuid4()), status=DagsterRunStatus.STARTED, remote_job_origin=ORIGIN)
    instance.add_run(run)
    instance.report_run_failed(run)
    seen = []

    def see(_, records, __):
        seen.extend(record.dagster_run.run_id for record in records)
        yield

    monkeypatch.setattr(EventLogConsumerDaemon, "handle_updated_runs_fns", [see])
    for _ in range(2):
        list(EventLogConsumerDaemon().run_iteration(SimpleNamespace(instance=instance)))
        note_failures_from_now_on(instance)
    assert seen == [run.run_id]


# --- retries that got lost


@pytest.fixture
def looks(monkeypatch):
    """Runs that the daemon finds promised a retry, one list per look."""
    found: list[list[str]] = []

    def look(_, records, __):
        promised = [each.dagster_run for each in records if each.dagster_run.tags.get("dagster/will_retry") == "true"]
        found.append([run.run_id for run in promised])
        yield

    monkeypatch.setattr(EventLogConsumerDaemon, "handle_updated_runs_fns", [look])
    return found


def look(instance: dg.DagsterInstance) -> None:
    list(EventLogConsumerDaemon().run_iteration(SimpleNamespace(instance=instance)))


def lose_a_retry(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run whose failure the daemon sees before the promise is stored, as when it looks in between."""
    run = dg.DagsterRun(
        "quarter_hour", str(uuid4()), status=DagsterRunStatus.STARTED, remote_job_origin=ORIGIN, tags=tags
    )
    instance.add_run(run)
    note_failures_from_now_on(instance)
    instance.report_run_failed(run)
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "false"})
    look(instance)
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    return run.run_id


def minutes_later(minutes: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def test_a_lost_retry_is_asked_for_once_and_then_not_waited_for_any_more(instance, looks):
    run = lose_a_retry(instance, {})
    look(instance)
    assert not any(looks)  # the daemon never finds it by itself
    assert ask_for_lost_retries(instance, minutes_later(0)) == NONE
    assert ask_for_lost_retries(instance, minutes_later(2)) == LostRetries([run], [])
    look(instance)
    assert looks[-1] == [run]
    assert ask_for_lost_retries(instance, minutes_later(4)) == LostRetries([], [run])
    assert instance.get_run_by_id(run).tags["dagster/will_retry"] == "false"
    assert ask_for_lost_retries(instance, minutes_later(6)) == NONE


def test_the_retry_of_a_retry_is_asked_for_too_though_it_inherits_the_tags(instance, looks):
    first = lose_a_retry(instance, {})
    ask_for_lost_retries(instance, minutes_later(2))
    instance.add_run_tags(first, {"dagster/auto_retry_run_id": "the retry"})
    inherited = {
        name: value for name, value in instance.get_run_by_id(first).tags.items() if not name.startswith("dagster/")
    }
    again = lose_a_retry(instance, inherited)
    assert ask_for_lost_retries(instance, minutes_later(4)) == LostRetries([again], [])
    assert ask_for_lost_retries(instance, minutes_later(6)) == LostRetries([], [again])


def test_a_retry_that_came_is_not_asked_for(instance, looks):
    run = lose_a_retry(instance, {})
    instance.add_run_tags(run, {"dagster/auto_retry_run_id": "another"})
    assert ask_for_lost_retries(instance, minutes_later(2)) == NONE


@pytest.mark.parametrize("status", BulkActionStatus)
def test_a_retry_is_asked_for_while_its_backfill_is_under_way(instance, looks, status):
    instance.add_backfill(PartitionBackfill("first", status, from_failure=False, tags={}, backfill_timestamp=0.0))
    run = lose_a_retry(instance, {"dagster/backfill": "first"})
    under_way = {BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING}
    expected = LostRetries([run], []) if status in under_way else NONE
    assert ask_for_lost_retries(instance, minutes_later(2)) == expected
