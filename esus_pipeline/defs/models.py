"""Asset `room_models`: every night each room's thermal model from the readings of the last weeks, and its checks."""

from datetime import datetime, timedelta

import dagster as dg

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.commissioning import commissioning_plan, table
from esus_pipeline.control.model.now import models_in_force
from esus_pipeline.control.model.past import read_past
from esus_pipeline.control.model.score import HOURS
from esus_pipeline.control.model.training import LEAST_PREDICTIONS, Lesson, lesson, to_frame
from esus_pipeline.defs.common import OWNERS, SCHEDULE_STATUS, column_schema, now
from esus_pipeline.defs.partitions import WINDOWS, days
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.defs.weather import solar_gain, weather_forecast
from esus_pipeline.frames import ROOM_MODELS
from esus_pipeline.site import Site

TAUGHT = timedelta(days=42)
"""Readings that a model is learned from and judged on."""
BEATS = {1: 1.25, 6: 1.0, 24: 1.0}
"""Hours ahead -> share of persistence's error that a model may have. An hour ahead, no change is hard to beat."""

NIGHTS = dg.DailyPartitionsDefinition(start_date=WINDOWS.start.strftime("%Y-%m-%d"), timezone="UTC")
NIGHTLY_TAGS = {"dagster/priority": "-3", "dagster/max_runtime": "7200"}


@dg.asset(
    name=ROOM_MODELS.name,
    description=ROOM_MODELS.description,
    partitions_def=NIGHTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="control",
    kinds={"python", "parquet", "scipy"},
    owners=OWNERS,
    metadata={"dagster/column_schema": column_schema(ROOM_MODELS)},
    deps=[clean_series, weather_forecast, solar_gain],
    check_specs=[
        dg.AssetCheckSpec(
            f"predicts_{hours}_h",
            asset=ROOM_MODELS.name,
            description=f"Error {hours} h ahead on the last days of the history, at most {BEATS[hours]:.2f} times that "
            "of no change on the same days. A model taken this night is judged before it is taught them; one that was "
            "kept may have been taught them before.",
        )
        for hours in HOURS
    ],
)
def room_models(context: dg.AssetExecutionContext, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Learn the rooms at the end of every day of the range, oldest first, each night from the model before it."""
    building, archive, started = site.load(), data.archive(), now()
    learned: dict[str, Lesson] = {}
    for day in days(context.partition_time_window):
        learned = _night(building, archive, day.end)
        archive.replace(ROOM_MODELS, to_frame(learned, day.end), day.end, day.end + timedelta(microseconds=1))
        for room, what in learned.items():
            context.log.info("%s %s: %s", day.start.date(), room, what.verdict)
    return dg.MaterializeResult(
        metadata={
            "rooms": len(learned),
            "rooms_learned": sum(each.model.version > 0 for each in learned.values()),
            "models_taken": sum(each.taken for each in learned.values()),
            "lessons": dg.MetadataValue.md(_table(learned)),
            "steps_that_would_teach": dg.MetadataValue.md(_steps(building, learned, context.partition_time_window.end)),
            "duration_seconds": (now() - started).total_seconds(),
        },
        check_results=[_check(learned, hours) for hours in HOURS],
    )


def _night(site: Site, archive: Archive, end: datetime) -> dict[str, Lesson]:
    past = read_past(archive, site, end - TAUGHT, end)
    former = models_in_force(archive, site, end - timedelta(microseconds=1))
    return {room: lesson(past.prior(room), former.get(room), past.history(room)) for room in site.room_ids}


def _table(learned: dict[str, Lesson]) -> str:
    lines = ["| room | version | 1 h | 6 h | 24 h | persistence 24 h | what | the readings cannot tell |"]
    lines.append("|---" * 8 + "|")
    for room, each in learned.items():
        errors = [f"{each.score.model[hours]:.2f} K" if each.score else "" for hours in HOURS]
        still = f"{each.score.persistence[24]:.2f} K" if each.score else ""
        unknown = ", ".join(each.model.unknown)
        lines.append(f"| {room} | {each.model.version} | {' | '.join(errors)} | {still} | {each.verdict} | {unknown} |")
    return "\n".join(lines)


def _steps(site: Site, learned: dict[str, Lesson], end: datetime) -> str:
    """What to do on the next free days to learn what is unknown."""
    models = {room: each.model for room, each in learned.items() if each.model.version > 0}
    return table(commissioning_plan(site, models, end.astimezone(site.zone).date()))


def _check(learned: dict[str, Lesson], hours: int) -> dg.AssetCheckResult:
    """Judges the rooms with a learned model and predictions enough so many hours ahead."""
    scores = {room: each.score for room, each in learned.items() if each.model.version > 0}
    judged = {
        room: (score.model[hours], score.persistence[hours])
        for room, score in scores.items()
        if score and score.count[hours] >= LEAST_PREDICTIONS
    }
    worse = [room for room, (error, still) in judged.items() if not error <= BEATS[hours] * still]
    told = {room: f"{error:.2f} K, persistence {still:.2f} K" for room, (error, still) in judged.items()}
    return dg.AssetCheckResult(
        check_name=f"predicts_{hours}_h",
        passed=not worse,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "rooms_judged": len(judged),
            "rooms_learned_but_not_judged": len(scores) - len(judged),
            "rooms_worse": ", ".join(worse) or "none",
            "errors": told,
        },
        description=f"worse than persistence: {', '.join(worse)}" if worse else f"{len(judged)} rooms judged",
    )


nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.assets(room_models),
    description="What is learned once a day: the rooms' thermal models.",
)


@dg.schedule(
    name="every_night",
    cron_schedule="20 2 * * *",
    execution_timezone="UTC",
    job=nightly,
    default_status=SCHEDULE_STATUS,
)
def every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The day that ended, a little after the last readings that came in time."""
    day = (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")
    return dg.RunRequest(run_key=day, partition_key=day, tags=NIGHTLY_TAGS)
