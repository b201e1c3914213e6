"""A building that nobody has seen goes through the whole pipeline: a folder of two files and no code."""

import subprocess
from datetime import timedelta
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import esus_pipeline.demo
from esus_pipeline.cli import main
from esus_pipeline.export import TABLES
from esus_pipeline_tests.cli.building import run_building
from esus_pipeline_tests.cli.lisbon import DAY, NOON, write_recording, write_site
from esus_pipeline_tests.real.processes import PYTHON, environment

pytestmark = pytest.mark.real

WINDOWS = 96
STEP = timedelta(minutes=15)
NEXT_DAY = DAY + pd.Timedelta(days=1)
READINGS_A_DAY = 6 * 144
SUNNY = "6"  # seed of a weather with sun in the afternoon of DAY
INSTANCE = Template((Path(esus_pipeline.demo.__file__).parent / "dagster.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lisbon")


@pytest.fixture(scope="module")
def recorded(home):
    return write_recording(home / "log.parquet")


@pytest.fixture(scope="module")
def settings(home, recorded):
    """Settings of an installation that has loaded the day in one ranged run."""
    site = write_site(home / "casa")
    options = ["--site", str(site), "--replay", str(home / "log.parquet"), "--replay-mode", "own", "--seed", SUNNY]
    dagster = home / "dagster"
    dagster.mkdir()
    (dagster / "dagster.yaml").write_text(INSTANCE.substitute(home=home), encoding="utf-8")
    running = run_building(home / "building.log", *options)
    building = next(running)
    settings = building.settings | {
        "ESUS_SITE": str(site),
        "ESUS_DATA_DIR": str(home / "data"),
        "DAGSTER_HOME": str(dagster),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
    }
    try:
        done = subprocess.run(
            [
                *PYTHON, "-m", "dagster", "asset", "materialize", "-m", "esus_pipeline.definitions",
                "--select", "not (key:room_models or key:savings)", "--partition-range",
                f"{DAY:%Y-%m-%d-%H:%M}...{NEXT_DAY - STEP:%Y-%m-%d-%H:%M}",
            ],
            env=environment(**settings), cwd=home, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        yield settings
    finally:
        running.close()


@pytest.fixture(scope="module")
def exported(home, settings):
    """Every table of the day, as `esus export` hands it to a person."""
    tables = {}
    for name in TABLES:
        file = home / f"{name}.parquet"
        arguments = [
            "export",
            name,
            "--start",
            (DAY + STEP).isoformat(),
            "--end",
            NEXT_DAY.isoformat(),
            "-o",
            str(file),
        ]
        if name in ("raw_bms_readings", "clean_series", "room_table"):
            arguments[3] = DAY.isoformat()
        done = CliRunner().invoke(main, arguments, env=settings, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        tables[name] = pd.read_parquet(file)
        assert done.output == f"{len(tables[name])} rows of {name} to {file}\n"
    return tables


def test_every_stamp_of_every_table_is_utc(exported):
    for name, rows in exported.items():
        zones = {column: str(dtype) for column, dtype in rows.dtypes.items() if str(dtype).startswith("datetime")}
        assert zones, name
        assert set(zones.values()) == {"datetime64[us, UTC]"}, name


def test_every_reading_of_the_day_is_stored_as_it_was(exported, recorded):
    raw = exported["raw_bms_readings"]
    log = recorded[(recorded["timestamp"] >= DAY) & (recorded["timestamp"] < NEXT_DAY)]
    assert len(raw) == len(log) == READINGS_A_DAY
    joined = raw.merge(log, left_on=["point_id", "timestamp"], right_on=["external_log_id", "timestamp"])
    np.testing.assert_array_equal(joined["value_x"], joined["value_y"])
    assert len(joined) == len(raw)
    assert exported["quarantine"].empty


def test_readings_are_converted_and_judged_and_the_unknown_quantity_is_kept(exported):
    clean = exported["clean_series"]
    assert len(clean) == READINGS_A_DAY
    points = dict(list(clean.groupby("point_id")))
    before, after = points[7][points[7]["timestamp"] < NOON], points[7][points[7]["timestamp"] >= NOON]
    np.testing.assert_allclose(before["value"], 25.0)  # 77 degF
    assert set(before["quality"]) == {"good"}
    assert set(before["unit"]) == {"degC"}
    assert set(after["quality"]) == {"out_of_range"}
    assert set(points[8]["unit"]) == {"%"}
    assert set(points[8]["quality"]) == {"good"}
    assert points[8]["value"].between(35, 55).all()
    assert set(points[30]["unit"]) == {"kWh"}
    assert points[30]["room"].isna().all()
    assert points[30]["value"].is_monotonic_increasing
    assert set(clean["quantity"]) == {"air_temperature", "humidity", "co2", "plug_energy"}


def test_the_room_table_has_every_room_and_the_building_in_each_window(exported):
    rooms = exported["room_table"]
    assert rooms.groupby("room").size().to_dict() == dict.fromkeys(["2.10", "arquivo", "building"], WINDOWS)
    assert list(rooms.columns) == ["room", "timestamp", "air_temperature", "co2", "humidity", "plug_energy"]
    sala, inner, building = (rooms[rooms["room"] == room] for room in ("2.10", "arquivo", "building"))
    np.testing.assert_allclose(sala.loc[sala["timestamp"] < NOON, "air_temperature"], 25.0)
    assert sala.loc[sala["timestamp"] >= NOON + timedelta(hours=2), "air_temperature"].isna().all()
    assert inner["air_temperature"].eq(19.5).all()
    assert inner["humidity"].eq(60).all()
    assert inner["co2"].isna().all()
    assert building["air_temperature"].isna().all()
    assert building["plug_energy"].notna().all()


def test_the_forecast_of_a_past_day_says_that_it_was_not_known_then(exported):
    forecast = exported["weather_forecast"]
    assert set(forecast["kind"]) == {"hindcast"}
    assert forecast["interval_minutes"].eq(15).all()
    numbers = forecast[["ghi", "dni", "dhi", "temp_air", "wind_speed", "cloud_cover"]]
    assert np.isfinite(numbers).all(axis=None)
    assert forecast["valid_time"].min() <= DAY
    assert forecast["valid_time"].max() >= NEXT_DAY + timedelta(hours=35)


def test_the_sun_comes_in_from_the_west_and_not_into_the_room_without_windows(exported):
    gains, panes = exported["solar_gain"], exported["solar_gain_pane"]
    assert set(gains["room"]) == {"2.10", "arquivo"}
    inner = gains[gains["room"] == "arquivo"]
    assert inner["gain_open"].eq(0).all()
    assert inner["gain_shaded"].eq(0).all()
    sala = gains[(gains["room"] == "2.10") & (gains["valid_time"] >= DAY) & (gains["valid_time"] < NEXT_DAY)]
    assert len(sala) == WINDOWS
    assert sala["valid_time"].is_unique
    brightest = sala.loc[sala["gain_open"].idxmax(), "valid_time"]
    assert DAY + timedelta(hours=14) < brightest < DAY + timedelta(hours=20)
    assert sala["gain_open"].max() > 500
    sunny = sala[sala["gain_open"] > 100]
    np.testing.assert_allclose(sunny["gain_shaded"] / sunny["gain_open"], 0.35 / 0.6)
    assert set(panes["window"]) == {"pane"}
    np.testing.assert_allclose(panes["gain_open"], gains.loc[gains["room"] == "2.10", "gain_open"])


def test_there_is_a_whole_and_finite_plan_for_every_window(exported):
    plans = exported["shade_setpoint_schedule"]
    issues = pd.date_range(DAY + STEP, NEXT_DAY, freq=STEP)
    assert sorted(plans["issued_at"].unique()) == list(issues)
    assert plans.groupby(["issued_at", "room"]).size().eq(144).all()
    assert len(plans) == WINDOWS * 2 * 144
    assert np.isfinite(plans[["shade_position", "heating_setpoint", "cooling_setpoint"]]).all(axis=None)
    assert set(plans["shade_position"]) <= {0.0, 1.0}
    assert (plans["heating_setpoint"] < plans["cooling_setpoint"]).all()
    assert plans["reason"].str.len().gt(5).all()


def test_the_plan_says_what_is_missing_and_why_nothing_moves(exported):
    plans = exported["shade_setpoint_schedule"]
    inner, sala = (plans[plans["room"] == room] for room in ("arquivo", "2.10"))
    assert set(inner["reason"]) == {"no shade to move"}
    assert inner["shade_position"].eq(0).all()
    blind = sala[sala["issued_at"] >= NOON + timedelta(hours=2, minutes=15)]
    assert "missing_temperature" in set(blind["rule"]) <= {"missing_temperature", "wind"}
    assert blind["shade_position"].eq(0).all()
    calm = blind[blind["rule"] != "wind"]
    assert len(calm) > len(blind) / 2
    missing = "safe plan: no fresh temperature of a room whose shade moves with this one"
    assert set(calm["reason"].str.partition(", ")[2]) == {missing}
    assert blind.loc[blind["rule"] == "wind", "reason"].str.startswith("open because of wind").all()
    assert blind["predicted_temperature"].isna().all()
    seeing = sala[sala["issued_at"] <= NOON]
    assert "missing_temperature" not in set(seeing["rule"])
    assert seeing["predicted_temperature"].notna().all()
    assert seeing["shade_position"].max() == 1, set(seeing["rule"])


def test_people_are_expected_in_the_hours_of_lisbon(exported):
    plans = exported["shade_setpoint_schedule"]
    plan = plans[(plans["room"] == "2.10") & (plans["issued_at"] == DAY + STEP)].set_index("valid_time")
    opening = DAY + timedelta(hours=9)  # 10:00 of Lisbon's summer time
    assert plan.loc[opening, "heating_setpoint"] == 21
    assert plan.loc[opening, "cooling_setpoint"] == 26
    assert plan.loc[DAY + timedelta(hours=3), "cooling_setpoint"] > 26


def test_the_plan_is_told_in_words_and_as_a_page(settings):
    done = CliRunner().invoke(main, ["plan", "--at", "2025-06-17T11:00+01:00"], env=settings, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Casa do Teste: shades and setpoints from Tue 17 June 2025, 11:00" in done.output
    assert "Times in Europe/Lisbon." in done.output
    assert "2.10 (west facade)" in done.output
    assert "arquivo (no window)" in done.output
    page = (Path(settings["ESUS_DATA_DIR"]) / "plan" / "index.html").read_text(encoding="utf-8")
    assert "Casa do Teste" in page
    assert "arquivo" in page
