"""Before the code server starts: ending runs whose process is gone, and seeing to it that failed runs are tried again.

The default run launcher starts runs as children of the code server and does not check on them later. If both are
killed, a run stays "started" for ever and holds its place in the queue. Whoever starts a code server calls this first,
when no run of the old one can be alive.
"""

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus

_ORPHANED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]

_RETRIES = [
    f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}" for kind in (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
]
"""Under these names Dagster's daemon remembers which ends of runs it has seen."""


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
