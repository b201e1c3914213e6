"""Assets `point_states` and `point_rhythm`: what every point is believed to be, and what is normal for it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg

from esus_pipeline.defs.common import OWNERS, column_schema, now, window_asset
from esus_pipeline.defs.partitions import days
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.frames import CONTROLLER_RHYTHM, GAP, POINT_STATE, RHYTHM
from esus_pipeline.quality import Walk, new_versions


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


class RhythmConfig(dg.Config):
    """Which version to make."""

    day: str = ""
    """Learn from the 28 days before this UTC day, such as 2026-03-01; empty is today."""


@dg.asset(
    name=RHYTHM.name,
    description=RHYTHM.description,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="quality",
    kinds={"python", "parquet", "pandas"},
    owners=OWNERS,
    metadata={"dagster/column_schema": column_schema(RHYTHM)},
)
def point_rhythm(config: RhythmConfig, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Learn what is normal for every point and controller; the version holds from the day after on."""
    building, archive, started = site.load(), data.archive(), now()
    today = started.replace(hour=0, minute=0, second=0, microsecond=0)
    day = datetime.fromisoformat(config.day).replace(tzinfo=UTC) if config.day else today
    rhythm, controllers = new_versions(archive.read, building, day)
    archive.merge(RHYTHM, rhythm)
    archive.merge(CONTROLLER_RHYTHM, controllers)
    kinds = rhythm["kind"].value_counts().to_dict()
    return dg.MaterializeResult(
        metadata={
            "valid_from": (day + timedelta(days=1)).isoformat(),
            **{f"points_{kind}": int(count) for kind, count in sorted(kinds.items())},
            "controllers": {
                str(row.controller): f"late up to {row.bound_minutes:.0f} min" for row in controllers.itertuples()
            },
            "duration_seconds": (now() - started).total_seconds(),
        }
    )
