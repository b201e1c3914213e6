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
    "pipeline": "rows",
}


def test_a_scheduled_tick_of_the_running_daemon_ends_with_points_that_can_be_read(influx, tmp_path):
    with system(tmp_path, influx) as pipeline, pipeline.started():
        archive = Archive(pipeline.data / "archive")

        def everything_arrived() -> bool:
            if not all(influx.count(measurement, field) for measurement, field in FIELDS.items()):
                return False
            return influx.count("clean_series") == len(archive.read(CLEAN_SERIES))

        wait_until("points of every measurement", everything_arrived, 300, pause=1.0)
        deliveries = pipeline.instance.get_runs(RunsFilter(job_name="delivery"))
        live = [run for run in pipeline.instance.get_runs() if run.tags.get("dagster/schedule_name") == "every_minute"]
    assert live
    assert {run.tags["dagster/sensor_name"] for run in deliveries} == {"deliveries"}
    assert DagsterRunStatus.FAILURE not in {run.status for run in deliveries}
    secret = influx.token.encode()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()] == []
