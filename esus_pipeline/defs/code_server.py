"""A code server whose runs start warm: `python -m esus_pipeline.defs.code_server` takes what `dagster api grpc` takes.

Dagster's own starts a new interpreter for every run, which imports for seconds of a core before its first step: every
15 minutes, and every delivery again. Here a process that has imported everything and does nothing else is forked, with
the means of Python's standard library (`forkserver`). See docs/decisions/0022-warm-runs.md.
"""

import multiprocessing
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import ensure_running

NEEDED_BY_RUNS = [
    "esus_pipeline.definitions",
    "esus_pipeline.defs.event_log",
    "dagster._cli.api",
    "dagster._core.instance.factory",
    "dagster._core.storage.event_log",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
    "dagster._daemon.controller",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "pvlib.clearsky",
    "pvlib.irradiance",
    "scipy.optimize",
]
"""What a run imports, late or early. A name that a later version of a library no longer has costs time and no more."""


def warm() -> BaseContext:
    """Where processes are forked from one that has the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(NEEDED_BY_RUNS)
    return context


def main() -> None:
    """Serve until stopped."""
    runs = warm()
    ensure_running()
    # Dagster asks for "spawn" and has no setting for it.
    multiprocessing.get_context = lambda _: runs  # type: ignore[assignment]
    from dagster._cli.api import grpc_command

    grpc_command(prog_name="esus_pipeline.defs.code_server")


if __name__ == "__main__":
    main()
