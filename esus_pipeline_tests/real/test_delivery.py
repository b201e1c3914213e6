"""The whole way with real processes: the daemon's schedule ticks, and points can be read from InfluxDB."""

import pytest
from dagster import DagsterRunStatus, RunsFilter

from esus_pipeline.archive import Archive
from esus_pipeline.frames import CLEAN_SERIES
from esus_pipeline_tests.real.influx_system import system
from esus_pipeline_tests.real.processes import wait_until

pytestmark = pytest.mark.real

FIELDS = {
    "clean_series": "value",
    "room_table": "air_temperature",
    "weather_forecast": "ghi",
    "solar_gain": "gain_open",
    "shade_setpoint_schedule": "shade_position",
    "point_state": "age_minutes",
    "pipeline": "poll_seconds",
}


def test_a_scheduled_tick_of_the_running_daemon_ends_with_points_that_can_be_read(influx, tmp_path):
    with system(tmp_path, influx) as pipeline, pipeline.started():
        archive = Archive(pipeline.data / "archive")

        def points_of_every_measurement() -> bool:
            return all(influx.count(measurement, field) for measurement, field in FIELDS.items())

        wait_until("points of every measurement", points_of_every_measurement, 300, pause=1.0)
        stored = len(archive.read(CLEAN_SERIES))  # the ticks go on, so that more may be there by and by
        wait_until("all readings", lambda: influx.count("clean_series") >= stored, 180, pause=1.0)
        deliveries = pipeline.instance.get_runs(RunsFilter(job_name="delivery"))
        live = [run for run in pipeline.instance.get_runs() if run.tags.get("dagster/schedule_name") == "every_minute"]
    assert live
    assert {run.tags["dagster/sensor_name"] for run in deliveries} == {"deliveries"}
    assert DagsterRunStatus.FAILURE not in {run.status for run in deliveries}
    secret = influx.token.encode()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()] == []
