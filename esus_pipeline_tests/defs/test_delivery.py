"""From materialisations to points in the real InfluxDB: the sensor asks, the sinks deliver, nothing is lost or doubled.

The runs that the sensor asks for are executed in this process, with the tags that the daemon gives them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pandas as pd
import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.tags import RUN_KEY_TAG

from esus_pipeline.archive import Archive
from esus_pipeline.definitions import build_definitions
from esus_pipeline.defs import delivery
from esus_pipeline.defs.backlog import Backlog
from esus_pipeline.defs.jobs import ASSETS
from esus_pipeline.defs.partitions import floor, key_of, range_tags, start_of
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.sinks import SINK_ASSETS
from esus_pipeline.frames import (
    CLEAN_SERIES,
    POINT_STATE,
    RAW_BMS_READINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.readings import room_frame
from esus_pipeline.settings import Settings
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline.site import load_site
from esus_pipeline_tests.real.processes import free_port
from esus_pipeline_tests.simulator.conftest import serving

PASSWORD = "twin-only"
DAY = floor(datetime.now(UTC)).replace(hour=0, minute=0) - timedelta(days=2)
BY_NAME = {asset.key.to_user_string(): asset for asset in SINK_ASSETS}
WHOLE_DAY = range_tags(key_of(DAY), key_of(DAY + 95 * STEP))


@pytest.fixture(scope="module")
def twin() -> Iterator[str]:
    with serving(SimulatorConfig(request_s=0, point_s=0, username="demo", password=PASSWORD)) as url:
        yield url


class Pipeline:
    """An instance, an archive and an InfluxDB; the sensor's cursor is kept as the daemon keeps it."""

    def __init__(self, instance, folder, twin: str, influx) -> None:
        self.instance, self.influx, self.cursor = instance, influx, None
        self.now = DAY + timedelta(days=1, minutes=16)
        self.archive = Archive(folder / "data" / "archive")
        self.settings = Settings(
            data_dir=folder / "data",
            forecast_url=twin,
            forecast_fallback_url=twin,
            contact="test@localhost",
            influx_url=influx.url,
            influx_org=influx.org,
            influx_bucket=influx.bucket,
            influx_token=influx.token,
        )
        [self._sensor] = delivery.delivery_definitions(self.settings)["sensors"]

    def run(self, assets, tags) -> bool:
        given = resources(self.settings)
        done = dg.materialize(assets, instance=self.instance, resources=given, tags=tags, raise_on_error=False)
        return done.success

    def tick(self):
        """What the sensor says now; its cursor moves."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self._sensor.evaluate_tick(context)
        self.cursor = result.cursor or self.cursor
        return result

    def deliver(self) -> list[tuple[str, str]]:
        """Tick until nothing is asked for; the ranges of the runs that were."""
        ranges = []
        while requests := self.tick().run_requests:
            [request] = requests
            sinks = [BY_NAME[key.to_user_string()] for key in request.asset_selection]
            assert self.run(sinks, {**request.tags, RUN_KEY_TAG: request.run_key})
            ranges.append((request.tags["dagster/asset_partition_range_start"],
                           request.tags["dagster/asset_partition_range_end"]))  # fmt: skip
        return ranges

    @property
    def waiting(self) -> int:
        return Backlog.model_validate_json(self.cursor).waiting()


@pytest.fixture
def pipeline(instance, tmp_path, twin, influx, monkeypatch) -> Pipeline:
    for name, value in {"URL": twin, "USERNAME": "demo", "PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(f"ESUS_BMS_{name}", value)
    monkeypatch.setenv("INFLUXDB_TOKEN", influx.token)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")
    made = Pipeline(instance, tmp_path, twin, influx)
    monkeypatch.setattr(delivery, "now", lambda: made.now)
    return made


def in_force(rows: pd.DataFrame, *key: str) -> pd.DataFrame:
    known = rows[rows["issued_at"] <= rows["valid_time"]].sort_values("issued_at")
    return known.groupby([*key, "valid_time"]).last()


def check_against_archive(pipeline: Pipeline) -> None:
    """Counts and exact sums of every measurement equal those of the archive's rows in force."""
    archive, influx, site = pipeline.archive, pipeline.influx, load_site("tmv23")
    clean, states = archive.read(CLEAN_SERIES), archive.read(POINT_STATE)
    rooms = archive.read(room_frame(site)).set_index(["room", "timestamp"])
    forecast = in_force(archive.read(WEATHER_FORECAST))
    gains = in_force(archive.read(SOLAR_GAIN), "room")
    plans = in_force(archive.read(SHADE_SETPOINT_SCHEDULE), "room")
    for measurement, field, values in (
        ("clean_series", "value", clean["value"]),
        ("room_table", "air_temperature", rooms["air_temperature"]),
        ("weather_forecast", "ghi", forecast["ghi"]),
        ("solar_gain", "gain_open", gains["gain_open"]),
        ("shade_setpoint_schedule", "shade_position", plans["shade_position"]),
        ("point_state", "age_minutes", states["age_minutes"]),
    ):
        assert len(values) > 90, measurement
        [found] = influx.query(f'SELECT count("{field}") AS n, sum("{field}") AS total FROM "{measurement}"')  # noqa: S608
        assert found["n"] == values.notna().sum(), measurement
        assert found["total"] == pytest.approx(values.sum(), rel=1e-12), measurement
    assert influx.count("point_state", "state") == len(states)
    told = influx.query("SELECT * FROM pipeline", epoch="s")
    raw = archive.read(RAW_BMS_READINGS)
    by_window = raw.groupby(raw["timestamp"].dt.floor("15min"))["point_id"].agg(["size", "nunique"])
    found = {datetime.fromtimestamp(row["time"], UTC): (row["rows"], row["points_heard"]) for row in told}
    assert {time: counts for time, counts in found.items() if counts[0]} == {
        stamp.to_pydatetime(): (float(rows), float(points)) for stamp, rows, points in by_window.itertuples()
    }


@pytest.mark.real
def test_a_days_backfill_arrives_complete_and_a_two_hours_outage_heals_by_itself(pipeline):
    assert pipeline.run([asset for asset in ASSETS if asset is not shade_setpoint_schedule], WHOLE_DAY)
    some = range_tags(key_of(DAY + 44 * STEP), key_of(DAY + 51 * STEP))  # plans take long to make
    assert pipeline.run([shade_setpoint_schedule], some)
    assert pipeline.deliver() == [(key_of(DAY), key_of(DAY + 95 * STEP))], "one run for the whole day"
    check_against_archive(pipeline)
    assert pipeline.tick().skip_message == "Everything is delivered."

    pipeline.influx.stop_database()
    two_hours = range_tags(key_of(DAY + 40 * STEP), key_of(DAY + 47 * STEP))
    for _ in range(3):
        assert pipeline.run([clean_series], two_hours)
        told = pipeline.tick()
        assert told.run_requests == []
        assert told.skip_message.endswith("does not answer; 8 windows wait, nothing is lost.")
    pipeline.influx.start_database()
    assert pipeline.deliver() == [(key_of(DAY + 40 * STEP), key_of(DAY + 47 * STEP))]
    check_against_archive(pipeline)
    assert pipeline.waiting == 0

    assert pipeline.run([BY_NAME["influx_clean_series"], BY_NAME["influx_schedule"]], WHOLE_DAY), "by hand"
    check_against_archive(pipeline)
    assert pipeline.tick().run_requests == [], "a delivery is no news"


def announce(pipeline: Pipeline, *windows: datetime) -> None:
    for window in windows:
        event = dg.AssetMaterialization("clean_series", partition=key_of(window))
        pipeline.instance.report_runless_asset_event(event)


def end_run(pipeline: Pipeline, request, status: DagsterRunStatus) -> None:
    run = dg.DagsterRun("delivery", str(uuid4()), status=status, tags={RUN_KEY_TAG: request.run_key, **request.tags})
    pipeline.instance.add_run(run)


@pytest.mark.real
def test_a_failed_delivery_is_asked_for_again_after_a_pause_and_one_under_way_is_waited_for(pipeline):
    announce(pipeline, DAY, DAY + STEP)
    [request] = pipeline.tick().run_requests
    assert request.tags["esus/delivery"] == "sensor"
    assert [key.to_user_string() for key in request.asset_selection] == ["influx_clean_series"]
    assert "under way" in pipeline.tick().skip_message
    end_run(pipeline, request, DagsterRunStatus.FAILURE)
    told = pipeline.tick()
    assert told.run_requests == []
    assert "1 deliveries failed in a row" in told.skip_message
    assert "2 windows wait, nothing is lost" in told.skip_message
    pipeline.now += timedelta(minutes=1)
    [again] = pipeline.tick().run_requests
    assert again.run_key != request.run_key
    assert again.tags["dagster/asset_partition_range_end"] == key_of(DAY + STEP)
    end_run(pipeline, again, DagsterRunStatus.SUCCESS)
    assert pipeline.tick().skip_message == "Everything is delivered."


@pytest.mark.real
def test_a_request_that_never_became_a_run_and_a_new_materialisation_during_a_run_are_not_forgotten(
    pipeline,
):
    announce(pipeline, DAY)
    [lost] = pipeline.tick().run_requests
    pipeline.now += delivery.LOST + timedelta(minutes=1)
    pipeline.tick()
    pipeline.now += timedelta(minutes=1)
    requests = [request for _ in range(2) for request in pipeline.tick().run_requests]
    again = next(request for request in requests if "influx_clean_series" in str(request.asset_selection))
    assert again.run_key != lost.run_key
    announce(pipeline, DAY)
    pipeline.tick()
    end_run(pipeline, again, DagsterRunStatus.SUCCESS)
    asked = pipeline.tick().run_requests
    assert start_of(asked[0].tags["dagster/asset_partition_range_start"]) == DAY


def test_without_influxdb_there_is_one_reason_and_no_sink(instance):
    definitions = build_definitions(Settings())
    assert not [key for key in definitions.resolve_asset_graph().get_all_asset_keys() if "influx" in str(key)]
    sensor = definitions.get_sensor_def("deliveries")
    assert sensor.minimum_interval_seconds == 3600
    told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert told.skip_message == "InfluxDB is not configured (INFLUXDB_URL); nothing is delivered."


def test_half_a_configuration_says_what_is_missing_and_forgets_nothing(instance):
    [sensor] = delivery.delivery_definitions(Settings(influx_url="http://127.0.0.1:8086"))["sensors"]
    told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor="{}"))
    assert "INFLUXDB_ORG is not set" in told.skip_message
    assert told.cursor in (None, "{}")


def test_a_server_that_refuses_the_token_fails_the_run_without_telling_it(instance, tmp_path, twin, monkeypatch):
    class Nobody:
        url, org, bucket, token = f"http://127.0.0.1:{free_port()}", "esus", "esus", "canary-influx-token"

    monkeypatch.setenv("INFLUXDB_TOKEN", "canary\nbroken")
    pipeline = Pipeline(instance, tmp_path, twin, Nobody)
    done = dg.materialize(
        [BY_NAME["influx_schedule"]],
        instance=instance,
        resources=resources(pipeline.settings),
        partition_key=key_of(DAY),
        raise_on_error=False,
    )
    assert "INFLUXDB_TOKEN holds characters" in str(done.failure_data_for_node("influx_schedule").error)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"canary" in p.read_bytes()]
