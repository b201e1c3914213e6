"""Asset `savings`: every finished day judged against the rule that the building runs without the plan."""

from datetime import timedelta

import dagster as dg

from esus_pipeline.control.savings import by_room, evidence, judge, read_known
from esus_pipeline.defs.common import OWNERS, SCHEDULE_STATUS, column_schema, now
from esus_pipeline.defs.models import NIGHTLY_TAGS, NIGHTS, room_models
from esus_pipeline.defs.partitions import days
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.prices import electricity_price
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.defs.weather import solar_gain, weather_forecast
from esus_pipeline.frames import SAVINGS

SPAN = timedelta(days=30)
"""Days up to the newest one that the metadata add up."""


@dg.asset(
    name=SAVINGS.name,
    description=SAVINGS.description,
    partitions_def=NIGHTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="control",
    kinds={"python", "parquet"},
    owners=OWNERS,
    metadata={"dagster/column_schema": column_schema(SAVINGS)},
    deps=[clean_series, weather_forecast, solar_gain, electricity_price, shade_setpoint_schedule, room_models],
)
def savings(context: dg.AssetExecutionContext, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Judge every day of the range on its own, with the models in force at its end; add up the last 30 days."""
    building, archive, started = site.load(), data.archive(), now()
    for day in days(context.partition_time_window):
        archive.replace(SAVINGS, judge(read_known(archive, building, day.start)), day.start, day.end)
    end = context.partition_time_window.end
    rows = archive.read(SAVINGS, end - SPAN, end)
    found = evidence(building, rows)
    context.log.info(found.sentence)
    currency = building.tariffs.currency
    money = {"saving": found.saving, "saving_5_percent": found.low, "saving_95_percent": found.high}
    return dg.MaterializeResult(
        metadata={
            "evidence": found.sentence,
            **(money if found.days else {}),
            "currency": currency,
            "enough_evidence": found.enough,
            "days_counted": found.days,
            "room_days_counted": found.room_days,
            "room_days_left_out": {str(why): count for why, count in found.left_out.items()},
            "newest_day": dg.MetadataValue.md(by_room(rows[rows["day"] == rows["day"].max()], currency)),
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


daily_savings = dg.define_asset_job(
    "daily_savings",
    selection=dg.AssetSelection.assets(savings),
    description="What the plan of the day before was worth.",
)


@dg.schedule(
    name="every_morning",
    cron_schedule="10 9 * * *",
    execution_timezone="UTC",
    job=daily_savings,
    default_status=SCHEDULE_STATUS,
)
def every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The day that ended, when the last of its readings are in: they come up to eight hours late."""
    day = (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")
    return dg.RunRequest(run_key=day, partition_key=day, tags=NIGHTLY_TAGS)
