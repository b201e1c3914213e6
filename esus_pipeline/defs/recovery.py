"""Ending runs whose process is gone, when the code server starts.

The default run launcher starts runs as children of the code server and does not check on them later. If both are
killed, a run stays "started" for ever and holds its place in the queue. Whoever starts a code server calls this first,
when no run of the old one can be alive.
"""

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus

_ORPHANED = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def fail_orphaned_runs(instance: DagsterInstance) -> list[str]:
    """Mark every run that was under way as failed; their ids. Queued runs stay queued."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_ORPHANED))
    for run in runs:
        instance.report_run_failed(run, "Its process ended with the code server; the gap sensor asks for its windows.")
    return [run.run_id for run in runs]
