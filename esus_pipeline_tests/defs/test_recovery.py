from types import SimpleNamespace
from uuid import uuid4

import dagster as dg
from dagster import DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from esus_pipeline.defs.recovery import fail_orphaned_runs, note_failures_from_now_on

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("esus_pipeline"), "__repository__"), "quarter_hour"
)
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
