"""The sensor that asks for what is new to be delivered to InfluxDB, and what belongs to it.

It pages through the events of the tables with cursors of its own, so that every materialisation counts, be it of the
schedule, a repair, a backfill or by hand. It asks for one run at a time, and only while InfluxDB answers, so that an
outage of days costs no runs; see backlog for what is next.
"""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import httpx
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.storage.tags import RUN_KEY_TAG

from esus_pipeline.defs.backlog import Backlog, Errand
from esus_pipeline.defs.common import now
from esus_pipeline.defs.partitions import WINDOWS, floor, key_of, range_tags, start_of
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.quality import point_states
from esus_pipeline.defs.readings import clean_series, raw_bms_readings
from esus_pipeline.defs.running import UNFINISHED, windows_under_way
from esus_pipeline.defs.sinks import SENSOR, SINK_ASSETS, influx_pipeline
from esus_pipeline.defs.weather import solar_gain, weather_forecast
from esus_pipeline.frames import STEP
from esus_pipeline.influx import InfluxConfig, InfluxConfigError
from esus_pipeline.settings import Settings

DELIVERY_JOB = "delivery"
DELIVERY_TAG = "esus/delivery"
"""Tag of delivery runs; the instance lets one of them run at a time, so that the live poll never waits."""

DELIVERY_TAGS = {DELIVERY_TAG: "sensor", "dagster/max_runtime": "3600"}
EVENTS_PER_TICK = 2000
TICK_SECONDS = 2
"""Shorter than a round of Dagster's daemon (5 s): with the same length every other round would come a little early."""
NOT_CONFIGURED_TICK_SECONDS = 3600
ANSWER_SECONDS = 3.0

SILENCE = timedelta(minutes=10)
"""A window of which nothing was heard so long after its end is noted in the measurement `pipeline` nevertheless."""

LOST = timedelta(minutes=15)
"""A run that was asked for and is not there after this was never made; its windows wait again."""

PIPELINE_SINK = influx_pipeline.key.to_user_string()
SINKS_OF = {
    clean_series.key: ["influx_clean_series"],
    weather_forecast.key: ["influx_weather_forecast"],
    point_states.key: ["influx_point_state"],
    solar_gain.key: ["influx_solar_gain"],
    shade_setpoint_schedule.key: ["influx_schedule", PIPELINE_SINK],
    raw_bms_readings.key: [PIPELINE_SINK],
}
"""Which sinks an asset's events concern."""

delivery = dg.define_asset_job(
    DELIVERY_JOB,
    selection=dg.AssetSelection.assets(*SINK_ASSETS),
    description="Windows, or a range of them, from the archive to InfluxDB.",
    tags=DELIVERY_TAGS,
)


def delivery_definitions(settings: Settings) -> dict[str, Any]:
    """Assets, jobs and sensors of the delivery; where no InfluxDB is set, a sensor alone that says so."""
    if not settings.influx_url:
        return {"assets": [], "jobs": [], "sensors": [_idle_sensor(settings)]}
    return {"assets": SINK_ASSETS, "jobs": [delivery], "sensors": [_delivery_sensor(settings)]}


def _idle_sensor(settings: Settings) -> dg.SensorDefinition:
    def say() -> dg.SkipReason:
        return dg.SkipReason("InfluxDB is not configured (INFLUXDB_URL); nothing is delivered.")

    return dg.SensorDefinition(
        name=SENSOR,
        evaluation_fn=say,
        minimum_interval_seconds=NOT_CONFIGURED_TICK_SECONDS,
        default_status=_status(settings),
        description="Delivers to InfluxDB what was materialised; InfluxDB is not configured.",
    )


def _delivery_sensor(settings: Settings) -> dg.SensorDefinition:
    def deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            config = InfluxConfig(
                settings.influx_url, settings.influx_org, settings.influx_bucket, settings.influx_token
            )
        except InfluxConfigError as error:
            return dg.SkipReason(f"{error} Nothing is delivered until then, and nothing is lost.")
        return _evaluate(context.instance, context.cursor, config)

    return dg.SensorDefinition(
        name=SENSOR,
        evaluation_fn=deliveries,
        job=delivery,
        minimum_interval_seconds=TICK_SECONDS,
        default_status=_status(settings),
        description="Delivers to InfluxDB what was materialised, whenever and by whomever.",
    )


def _status(settings: Settings) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED


def _evaluate(instance: DagsterInstance, cursor: str | None, config: InfluxConfig) -> dg.SensorResult:
    """One tick: note what is new, look after the run under way, and ask for the next one if InfluxDB answers."""
    waiting, time = Backlog.model_validate_json(cursor) if cursor else Backlog(), now()
    _note_events(instance, waiting, time)
    _note_silence(waiting, time)
    _settle(instance, waiting, time)
    busy = windows_under_way(instance, apart_from=(DELIVERY_JOB,))
    errand = waiting.next_errand(time, busy)
    if errand is None:
        return dg.SensorResult(cursor=waiting.model_dump_json(), skip_reason=_why_not(waiting, time))
    if not _answers(config):
        reason = f"InfluxDB at {config.host} does not answer; {waiting.waiting()} windows wait, nothing is lost."
        return dg.SensorResult(cursor=waiting.model_dump_json(), skip_reason=reason)
    waiting.start(errand, time, busy)
    return dg.SensorResult(cursor=waiting.model_dump_json(), run_requests=[_request(errand)])


def _note_events(instance: DagsterInstance, waiting: Backlog, time: datetime) -> None:
    """The windows of the next page of events of every table; an instance's first events count, too."""
    for asset, sinks in SINKS_OF.items():
        name = asset.to_user_string()
        after = dg.AssetRecordsFilter(asset_key=asset, after_storage_id=waiting.seen.get(name, 0))
        events = instance.fetch_materializations(after, limit=EVENTS_PER_TICK, ascending=True).records
        windows = [start_of(event.partition_key) for event in events if event.partition_key]
        if events:
            waiting.seen[name] = events[-1].storage_id
        for sink in sinks:
            waiting.add(sink, windows, time)
        if windows and PIPELINE_SINK in sinks:
            waiting.noted_until = max([waiting.noted_until or WINDOWS.start, *(w + STEP for w in windows)])


def _note_silence(waiting: Backlog, time: datetime) -> None:
    """Windows in which nothing happened are told as such: a pipeline that has stopped is worth a point."""
    until = floor(time - SILENCE)
    first = max(waiting.noted_until or until, floor(time - timedelta(days=1)))
    waiting.add(PIPELINE_SINK, [first + step * STEP for step in range(max(0, (until - first) // STEP))], time)
    waiting.noted_until = max(first, until)


def _settle(instance: DagsterInstance, waiting: Backlog, time: datetime) -> None:
    """See what became of the run under way."""
    if waiting.errand is None:
        return
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: waiting.errand.key}))
    if any(run.status == DagsterRunStatus.SUCCESS for run in runs):
        waiting.settle(delivered=True, now=time)
    elif any(run.status in UNFINISHED for run in runs):
        return
    elif runs or time - waiting.errand.asked > LOST:
        waiting.settle(delivered=False, now=time)


def _why_not(waiting: Backlog, time: datetime) -> str:
    count = waiting.waiting()
    if waiting.errand:
        return f"A delivery is under way ({waiting.errand.key}); {count} windows wait."
    if waiting.pause_until and time < waiting.pause_until:
        return (
            f"{waiting.failures} deliveries failed in a row; the last one's error says why. "
            f"The next is at {waiting.pause_until:%H:%M:%S} UTC; {count} windows wait, nothing is lost."
        )
    if count:
        return f"{count} windows wait for the runs that work on them, or for their next try."
    return "Everything is delivered."


def _answers(config: InfluxConfig) -> bool:
    try:
        return httpx.get(f"{config.url.rstrip('/')}/ping", timeout=ANSWER_SECONDS).status_code == 204
    except httpx.HTTPError:
        return False


def _request(errand: Errand) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=errand.key,
        asset_selection=[dg.AssetKey(sink) for sink in errand.sinks],
        tags={**range_tags(key_of(errand.first), key_of(errand.last)), **DELIVERY_TAGS},
    )
