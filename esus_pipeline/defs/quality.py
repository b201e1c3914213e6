"""Asset `point_states`: what every point is believed to be at the end of each window, and the ledger of gaps."""

from collections import Counter

import dagster as dg

from esus_pipeline.defs.common import now, window_asset
from esus_pipeline.defs.partitions import days
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.frames import GAP, POINT_STATE
from esus_pipeline.quality import Walk


@window_asset(POINT_STATE, "quality", {"parquet", "pandas"}, deps=[clean_series])
def point_states(context: dg.AssetExecutionContext, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Judge every point in every window and bring the ledger of gaps up to date."""
    building, archive, started = site.load(), data.archive(), now()
    walk, states, gaps = Walk(archive.read, building), Counter[str](), 0
    for day in days(context.partition_time_window):
        rows, ledger = walk.judge(day.start, day.end)
        archive.replace(POINT_STATE, rows, day.start, day.end)
        merge = archive.merge(GAP, ledger)
        states.update(rows["state"])
        gaps += merge.new
    return dg.MaterializeResult(
        metadata={
            **{f"rows_{state}": count for state, count in sorted(states.items())},
            "gaps_new": gaps,
            "duration_seconds": (now() - started).total_seconds(),
        }
    )
