"""Ending runs whose process is gone, and seeing to it that failed runs are tried again.

The default run launcher starts runs as children of the code server and does not check on them later. If both are
killed, a run stays "started" for ever and holds its place in the queue. Whoever starts a code server ends such runs
first, when none of the old one can be alive. A retry that got lost is asked for again while everything runs.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, BACKFILL_ID_TAG, WILL_RETRY_TAG

_ORPHANED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]

_RETRIES = [
    f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}" for kind in (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
]
"""Under these names Dagster's daemon remembers which ends of runs it has seen."""

RETRY_COMES_WITHIN, LOOKED_BACK = timedelta(minutes=1), timedelta(days=1)
ASKED_TAG = "esus/retry_asked_for"
"""Of a run whose retry got lost and was asked for once, its own id: a retry inherits the tags of what it repeats."""


class LostRetries(NamedTuple):
    """Ids of the runs whose retry got lost: those asked for again, and those that are not waited for any more."""

    asked: list[str]
    given_up: list[str]


def note_failures_from_now_on(instance: DagsterInstance) -> None:
    """Let the daemon that tries failed runs again look at every failure from now on.

    On a new instance it would begin with those after its own first look, and a run that failed before, while processes
    were started or killed, would wait for its retry for ever, and its backfill with it.
    """
    storage = instance.daemon_cursor_storage
    unknown = set(_RETRIES) - set(storage.get_cursor_values(set(_RETRIES)))
    if unknown:
        newest = instance.event_log_storage.get_maximum_record_id() or 0
        storage.set_cursor_values(dict.fromkeys(unknown, str(newest)))


def fail_orphaned_runs(instance: DagsterInstance) -> list[str]:
    """Mark every run that was under way as failed; their ids. Queued runs stay queued."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ORPHANED))
    for run in runs:
        instance.report_run_failed(run, "Its process ended with the code server; the gap sensor asks for its windows.")
    return [run.run_id for run in runs]


def ask_for_lost_retries(instance: DagsterInstance, time: datetime) -> LostRetries:
    """Have runs tried again that were promised a retry at least a minute ago and got none.

    Dagster stores that a run failed, then that it will be tried again. Its daemon may look in between: it sees the
    failure, no promise, and never looks again, while the backfill waits for the retry for ever. Told of the failure
    anew it keeps the promise. Where that does not help either, the promise is taken back, so that the backfill ends.
    """
    promised = dg.RunsFilter(
        statuses=[DagsterRunStatus.FAILURE], tags={WILL_RETRY_TAG: "true"}, updated_after=time - LOOKED_BACK
    )
    latest = (time - RETRY_COMES_WITHIN).timestamp()
    records = instance.get_run_records(promised)
    failed = [record.dagster_run for record in records if record.end_time and record.end_time <= latest]
    lost = [run for run in failed if AUTO_RETRY_RUN_ID_TAG not in run.tags and _is_waited_for(instance, run)]
    asked = [run for run in lost if run.tags.get(ASKED_TAG) != run.run_id]
    given_up = [run for run in lost if run.tags.get(ASKED_TAG) == run.run_id]
    for run in asked:
        instance.add_run_tags(run.run_id, {ASKED_TAG: run.run_id})
        instance.report_run_failed(run, "Its retry was lost and is asked for again.")
    for run in given_up:
        instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
    return LostRetries([run.run_id for run in asked], [run.run_id for run in given_up])


def _is_waited_for(instance: DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster would try it again: not if its backfill has ended."""
    if BACKFILL_ID_TAG not in run.tags:
        return True
    backfill = instance.get_backfill(run.tags[BACKFILL_ID_TAG])
    return backfill is not None and backfill.status not in BULK_ACTION_TERMINAL_STATUSES
