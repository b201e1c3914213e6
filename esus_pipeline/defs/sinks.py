"""Sink assets: the rows of a window as points in InfluxDB.

They have the same windows as their tables, so that the UI shows what is delivered. Delivering a range again, by hand or
by the sensor, changes nothing.
To add a sink, add its measurements to influx.SINKS and a line to ASSETS.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import SensorInstigatorData

from esus_pipeline.defs.backlog import Backlog
from esus_pipeline.defs.common import OWNERS, now
from esus_pipeline.defs.health import check_results, health
from esus_pipeline.defs.partitions import WINDOWS, days
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.quality import point_states
from esus_pipeline.defs.readings import clean_series, raw_bms_readings
from esus_pipeline.defs.resources import DataResource, InfluxResource, SiteResource
from esus_pipeline.defs.weather import solar_gain, weather_forecast
from esus_pipeline.influx import (
    ASSET_CHECK,
    PIPELINE,
    SINKS,
    Delivered,
    InfluxError,
    Sender,
    deliver,
    deliver_rows,
)

SENSOR = "deliveries"
GAUGE_AGE = timedelta(hours=1)
"""A window that ended within this is told how much waits to be delivered; of an older one it is not known."""


def _options(name: str, description: str, deps: Sequence[dg.AssetsDefinition]) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "deps": deps,
        "partitions_def": WINDOWS,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "group_name": "delivery",
        "kinds": {"python", "influxdb"},
        "owners": OWNERS,
    }


def _sink(name: str, description: str, *deps: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Asset that delivers the measurements of SINKS[name]."""

    @dg.asset(**_options(name, description, deps))
    def sink(
        context: dg.AssetExecutionContext, site: SiteResource, data: DataResource, influx: InfluxResource
    ) -> dg.MaterializeResult:
        span, started = context.partition_time_window, now()
        with _sending(influx) as sender:
            done = deliver(data.archive(), site.load(), sender, SINKS[name], span.start, span.end)
            return _result(context, sender, done, (now() - started).total_seconds())

    return sink


@dg.asset(
    **_options(
        "influx_pipeline",
        "How the pipeline itself fares: the measurements `pipeline`, one point per window, and `asset_check`.",
        (raw_bms_readings, shade_setpoint_schedule),
    )
)
def influx_pipeline(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource, influx: InfluxResource
) -> dg.MaterializeResult:
    """Deliver poll durations, rows, ages, failures and the backlog; with the newest window, what the checks found."""
    started, done, building, archive = now(), Delivered(), site.load(), data.archive()
    waiting, span = backlog(context.instance).waiting(), context.partition_time_window
    live = started - span.end <= GAUGE_AGE
    parts = (
        health(context.instance, archive, building, day, waiting if live and day.end == span.end else None)
        for day in days(span)
    )
    with _sending(influx) as sender:
        deliver_rows(archive, building, sender, PIPELINE, parts, done)
        if live:
            deliver_rows(archive, building, sender, ASSET_CHECK, [check_results(context.instance)], done)
        return _result(context, sender, done, (now() - started).total_seconds())


def backlog(instance: dg.DagsterInstance) -> Backlog:
    """What the delivery sensor of this instance has noted as waiting."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if state.instigator_name == SENSOR and isinstance(data, SensorInstigatorData) and data.cursor:
            return Backlog.model_validate_json(data.cursor)
    return Backlog()


@contextmanager
def _sending(influx: InfluxResource) -> Iterator[Sender]:
    """A sender; what goes wrong fails the run with one sentence, and the sensor asks again."""
    try:
        with influx.sender() as sender:
            yield sender
    except InfluxError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def _result(context: dg.AssetExecutionContext, sender: Sender, done: Delivered, seconds: float) -> dg.MaterializeResult:
    if done.quarantined or done.too_old:
        context.log.warning(
            "%d rows were refused and are in quarantine; %d are older than the bucket keeps points",
            done.quarantined,
            done.too_old,
        )
    account = asdict(done)
    points = account.pop("points")
    return dg.MaterializeResult(
        metadata={
            **account,
            **{f"points_{name}": count for name, count in points.items()},
            "requests": sender.requests,
            "requests_sent_again": sender.resent,
            "duration_seconds": seconds,
        }
    )


SINK_ASSETS = [
    _sink("influx_clean_series", "Cleaned readings and the room table in InfluxDB.", clean_series),
    _sink("influx_weather_forecast", "The forecast in force for each time, in InfluxDB.", weather_forecast),
    _sink("influx_solar_gain", "The estimate of sun in force for each room and time, in InfluxDB.", solar_gain),
    _sink("influx_schedule", "The plan in force for each room and time, in InfluxDB.", shade_setpoint_schedule),
    _sink("influx_point_state", "What every point is believed to be, in InfluxDB.", point_states),
    influx_pipeline,
]
