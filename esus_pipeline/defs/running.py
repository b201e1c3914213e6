"""Which windows runs are working on, as the sensors see it."""

from collections.abc import Collection

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus

from esus_pipeline.defs import gaps
from esus_pipeline.defs.partitions import start_of

KEY_LENGTH = len("2026-06-21-10:00")

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def windows_under_way(instance: DagsterInstance, apart_from: Collection[str] = ()) -> list[gaps.Range]:
    """Windows of runs that have not ended (of other jobs than those); from the schedule, a sensor or the UI.

    Runs whose partitions are days, such as those that learn the rooms, work on no window.
    """
    found = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if run.job_name in apart_from:
            continue
        key = run.tags.get("dagster/partition")
        first = run.tags.get("dagster/asset_partition_range_start", key)
        last = run.tags.get("dagster/asset_partition_range_end", key)
        if first and last and len(first) == len(last) == KEY_LENGTH:
            found.append((start_of(first), start_of(last)))
    return found
