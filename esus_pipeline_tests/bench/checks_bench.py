"""What the asset checks cost: the same backfill with and without them."""

from datetime import timedelta

from esus_pipeline_tests.bench.pipeline_bench import _Bench, _key, _row

DAYS = 30


def job_without_checks():  # type: ignore[no-untyped-def]  # dagster is not imported before it is asked for
    """The quarter-hour chain, every asset and no check."""
    import dagster as dg

    from esus_pipeline.defs.automation import ASSETS
    from esus_pipeline.defs.resources import resources
    from esus_pipeline.settings import Settings

    selection = dg.AssetSelection.assets(*ASSETS).without_checks()
    job = dg.define_asset_job("no_checks", selection=selection, executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=ASSETS, jobs=[job], resources=resources(Settings.from_env()))
    return definitions.resolve_job_def("no_checks")


def backfill_with_and_without(length: int = DAYS) -> list[dict[str, object]]:
    """A month into an empty archive each time; a ratio of at least 0.83 is a cost of at most 1.2 times."""
    costs = {}
    for executor in ("no_checks", "in_process"):
        with _Bench() as bench:
            midnight = bench.now.replace(hour=0, minute=0)
            first, last = midnight - timedelta(days=length + 1), midnight - timedelta(days=1, minutes=15)
            costs[executor] = bench.run(_key(first), _key(last), executor)
    ours, other = costs["in_process"], costs["no_checks"]
    what = f"backfill of {length} days with all checks / without them"
    return [
        _row("f_wall", f"{what}: wall", ours.wall_s, other.wall_s, ours.peak_mb),
        _row("f_cpu", f"{what}: CPU", ours.cpu_s, other.cpu_s, ours.peak_mb),
    ]
