"""One run of the chain, the process that the benchmarks time.

    python -m esus_pipeline_tests.bench.one_run (cold|warm) EXECUTOR FIRST_KEY LAST_KEY

`cold` is a process of its own that imports everything first. `warm` is how the code server starts runs: forked from a
process that has the imports; what the fork took is written to standard output as JSON.
"""

import json
import resource
import sys
import time
from multiprocessing.connection import Connection


def run(executor: str, first: str, last: str) -> bool:
    """Whether these windows went through all assets. Executors: in_process, multiprocess, no_checks."""
    import dagster as dg

    from esus_pipeline.definitions import defs

    whole = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    tags = {"dagster/partition": first} if first == last else whole
    with dg.DagsterInstance.get() as instance:
        if executor == "multiprocess":
            return dg.execute_job(dg.reconstructable(multiprocess_job), instance=instance, tags=tags).success
        job = job_without_checks() if executor == "no_checks" else defs.resolve_job_def("quarter_hour")
        key = first if first == last else None
        return job.execute_in_process(instance=instance, tags=tags, partition_key=key).success


def multiprocess_job():  # type: ignore[no-untyped-def]  # dagster reconstructs it by name
    """The same chain with Dagster's default executor, for comparison."""
    return _job("all_assets", lambda chosen: chosen, "multiprocess_executor")


def job_without_checks():  # type: ignore[no-untyped-def]  # dagster is not imported before it is asked for
    """The quarter-hour chain, every asset and no check."""
    return _job("no_checks", lambda chosen: chosen.without_checks(), "in_process_executor")


def _job(name, choose, executor):  # type: ignore[no-untyped-def]
    import dagster as dg

    from esus_pipeline.defs.automation import ASSETS
    from esus_pipeline.defs.resources import resources
    from esus_pipeline.settings import Settings

    selection = choose(dg.AssetSelection.assets(*ASSETS))
    job = dg.define_asset_job(name, selection=selection, executor_def=getattr(dg, executor))
    return dg.Definitions(assets=ASSETS, jobs=[job], resources=resources(Settings.from_env())).resolve_job_def(name)


def run_forked(executor: str, first: str, last: str) -> bool:
    """As `run`, in a fork of the process that the code server would have; writes what the fork took."""
    from esus_pipeline.defs.code_server import warm

    context = warm()
    imports = context.Process(target=bool)
    imports.start()
    imports.join()  # it waits for them
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, executor, first, last))
    began = time.monotonic()
    process.start()
    sender.close()
    done, cpu_s, peak_mb = receiver.recv()
    json.dump({"wall_s": time.monotonic() - began, "cpu_s": cpu_s, "peak_mb": peak_mb}, sys.stdout)
    return done


def _report(sender: Connection, executor: str, first: str, last: str) -> None:
    done = run(executor, first, last)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    sender.send((done, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))


if __name__ == "__main__":
    start, *what = sys.argv[1:]
    sys.exit(0 if {"cold": run, "warm": run_forked}[start](*what) else 1)
