"""What the Dagster side declares, seen from outside; a change here is a change for operators."""

import json
import subprocess
import sys

import dagster as dg
import pytest

from esus_pipeline.definitions import build_definitions, defs
from esus_pipeline.frames import (
    CLEAN_SERIES,
    ELECTRICITY_PRICE,
    POINT_STATE,
    RAW_BMS_READINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    WEATHER_FORECAST,
)
from esus_pipeline.settings import Settings

FRAMES = {
    frame.name: frame
    for frame in (
        RAW_BMS_READINGS,
        CLEAN_SERIES,
        POINT_STATE,
        WEATHER_FORECAST,
        SOLAR_GAIN,
        ELECTRICITY_PRICE,
        SHADE_SETPOINT_SCHEDULE,
    )
}
ASSETS = {
    "raw_bms_readings": ("readings", {"python", "parquet"}, set()),
    "clean_series": ("readings", {"python", "parquet", "pandas"}, {"raw_bms_readings"}),
    "point_states": ("quality", {"python", "parquet", "pandas"}, {"clean_series"}),
    "weather_forecast": ("weather", {"python", "parquet"}, set()),
    "solar_gain": ("weather", {"python", "parquet"}, {"weather_forecast", "clean_series"}),
    "electricity_price": ("prices", {"python", "parquet"}, set()),
    "shade_setpoint_schedule": (
        "control",
        {"python", "parquet"},
        {"clean_series", "weather_forecast", "solar_gain", "electricity_price"},
    ),
}
GRAPH = defs.resolve_asset_graph()


def node(name: str):
    return GRAPH.get(dg.AssetKey(name))


UPKEEP = {"point_rhythm", "room_models", "savings"}


def test_there_are_the_assets_of_the_chain_and_of_the_upkeep():
    assert {key.to_user_string() for key in GRAPH.get_all_asset_keys()} == set(ASSETS) | UPKEEP


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_is_placed_described_and_owned(name):
    group, kinds, parents = ASSETS[name]
    asset = node(name)
    assert asset.group_name == group
    assert asset.kinds == kinds
    assert {key.to_user_string() for key in asset.parent_keys} == parents
    assert asset.owners == ["team:esus"]
    assert asset.description
    assert asset.description.startswith(FRAMES[name].description)


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_shows_the_columns_of_the_table_it_writes(name):
    schema = node(name).metadata["dagster/column_schema"]
    columns = schema.value.columns if hasattr(schema, "value") else schema.columns
    assert [column.name for column in columns] == FRAMES[name].schema.names
    assert [column.type for column in columns] == [str(field.type) for field in FRAMES[name].schema]
    assert all(column.description for column in columns)


@pytest.mark.parametrize("name", ASSETS)
def test_every_asset_has_the_same_quarter_hours_in_utc_and_takes_a_range_in_one_run(name):
    asset = node(name)
    windows = asset.partitions_def
    assert windows == node("raw_bms_readings").partitions_def
    assert (windows.cron_schedule, windows.fmt, windows.timezone) == ("*/15 * * * *", "%Y-%m-%d-%H:%M", "UTC")
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_the_jobs_schedule_and_sensors():
    repository = defs.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} >= {"quarter_hour", "late_readings"}
    selected = {
        name: {key.to_user_string() for key in repository.get_job(name).asset_layer.executable_asset_keys}
        for name in ("quarter_hour", "late_readings", "nightly_reread", "daily_rhythm")
    }
    assert selected == {
        "quarter_hour": set(ASSETS),
        "late_readings": {"clean_series", "point_states"},
        "nightly_reread": {"raw_bms_readings"},
        "daily_rhythm": {"point_rhythm"},
    }
    assert {each.name: (each.cron_schedule, each.job_name) for each in repository.schedule_defs} == {
        "every_quarter_hour": ("3-59/15 * * * *", "quarter_hour"),
        "every_morning": ("10 9 * * *", "daily_savings"),
        "every_night": ("20 2 * * *", "nightly"),
        "every_night_reread": ("40 1 * * *", "nightly_reread"),
        "every_noon": ("10 12 * * *", "daily_rhythm"),
    }
    assert {each.execution_timezone for each in repository.schedule_defs} == {"UTC"}
    assert {sensor.name: sensor.job_name if sensor.targets else None for sensor in repository.sensor_defs} == {
        "gaps": "quarter_hour",
        "late_readings": "late_readings",
        "alerts": None,
        "deliveries": None,
    }


def test_runs_use_one_process():
    assert defs.executor is dg.in_process_executor


@pytest.mark.parametrize(("switch", "status"), [("", "STOPPED"), ("on", "RUNNING")])
def test_automation_starts_by_itself_only_where_it_is_switched_on(switch, status):
    code = (
        "from esus_pipeline.defs.automation import SCHEDULES, SENSORS;"
        "import json; print(json.dumps([each.default_status.value for each in [*SCHEDULES, *SENSORS]]))"
    )
    assert json.loads(python(code, ESUS_AUTOMATION=switch)) == [status] * 6


def test_the_password_is_resolved_in_the_run_and_shown_by_its_name_alone():
    built = build_definitions(Settings(bms_password="hunter2"))
    assert built.resources["bms"].password == dg.EnvVar("ESUS_BMS_PASSWORD")
    assert "hunter2" not in repr(built.resources)


DOMAIN = [
    "esus_pipeline.alerts",
    "esus_pipeline.archive",
    "esus_pipeline.bms",
    "esus_pipeline.control",
    "esus_pipeline.frames",
    "esus_pipeline.influx",
    "esus_pipeline.readings",
    "esus_pipeline.report",
    "esus_pipeline.simulator",
    "esus_pipeline.site",
    "esus_pipeline.solar",
    "esus_pipeline.weather",
    "esus_pipeline.connect",
    "esus_pipeline.export",
    "esus_pipeline.doctor",
    "esus_pipeline.cli",
]


def test_the_domain_does_not_know_dagster():
    code = (
        "import importlib, sys\n"
        f"for name in {DOMAIN}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'dagster' not in sys.modules, f'{name} imports dagster'\n"
    )
    python(code)


def python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
