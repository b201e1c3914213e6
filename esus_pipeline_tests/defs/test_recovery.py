from uuid import uuid4

import dagster as dg
from dagster import DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from esus_pipeline.defs.recovery import fail_orphaned_runs

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
