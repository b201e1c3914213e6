"""A real month of another building: eight days of it through every asset, by one ranged run, and out again."""

import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
import pytest

import esus_pipeline.demo
from esus_pipeline_tests.real.processes import PYTHON, end_session, environment, free_port, listens, wait_until

pytestmark = pytest.mark.real

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "ou44" / "readings.parquet"
FIRST, LAST = "2017-03-22-00:00", "2017-03-29-23:45"
START, END = pd.Timestamp("2017-03-22", tz="UTC"), pd.Timestamp("2017-03-30", tz="UTC")
WINDOWS = 8 * 96
ROOMS = {"22-508-1", "22-511-2"}
STEP = timedelta(minutes=15)
INSTANCE = Path(esus_pipeline.demo.__file__).parent / "dagster.yaml"


@dataclass(frozen=True)
class Installation:
    """A production poller of OU44 in miniature: its folder and its settings."""

    folder: Path
    env: dict[str, str]

    def materialize(self, first: str = FIRST, last: str = LAST) -> None:
        """One run over all assets and the windows of a range, as an operator types it."""
        self._run(
            "dagster", "asset", "materialize", "-m", "esus_pipeline.definitions",
            "--select", "not (key:room_models or key:savings)", "--partition-range", f"{first}...{last}", seconds=420,
        )  # fmt: skip

    def export(self, asset: str, start: pd.Timestamp = START, end: pd.Timestamp = END) -> pd.DataFrame:
        """What `esus export` hands to a person."""
        file = self.folder / f"{asset}.parquet"
        self._run(
            "esus_pipeline.cli", "export", asset,
            "--start", start.isoformat(), "--end", end.isoformat(), "-o", str(file), seconds=120,
        )  # fmt: skip
        return pd.read_parquet(file)

    def digests(self, table: str) -> dict[str, str]:
        """Digest of every file of a table."""
        files = sorted((self.folder / "data" / "archive" / table).glob("*.parquet"))
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def _run(self, module: str, *arguments: str, seconds: float) -> None:
        done = subprocess.run(
            [*PYTHON, "-m", module, *arguments],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    if not RECORDING.is_file():
        pytest.skip(f"no recording at {RECORDING}")
    folder, port = tmp_path_factory.mktemp("ou44"), free_port()
    home = folder / "dagster"
    home.mkdir()
    template = Template(INSTANCE.read_text(encoding="utf-8"))
    (home / "dagster.yaml").write_text(template.substitute(home=folder), encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    env = environment(
        ESUS_SITE="ou44",
        ESUS_DATA_DIR=str(folder / "data"),
        ESUS_BMS_URL=url,
        ESUS_BMS_USERNAME="demo",
        ESUS_BMS_PASSWORD=secrets.token_urlsafe(16),
        ESUS_FORECAST_URL=url,
        ESUS_FORECAST_FALLBACK_URL=url,
        ESUS_PRICE_URL=url,
        ESUS_HINDCAST_URL=url,
        DAGSTER_HOME=str(home),
        DAGSTER_EVENT_BATCH_SIZE="1000",
        DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS="1",
    )
    command = ["--site", "ou44", "--replay", str(RECORDING), "--replay-mode", "own", "--username", "demo"]
    with (folder / "building.log").open("wb") as output:
        building = subprocess.Popen(
            [*PYTHON, "-m", "esus_pipeline.simulator", "--port", str(port), *command],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until("the replayed building", lambda: listens(port), 60)
        made = Installation(folder, env)
        made.materialize()
        yield made
    finally:
        end_session(building)


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    """What the building's log says for those days."""
    rows = pd.read_parquet(RECORDING)
    return rows[(rows["timestamp"] >= START) & (rows["timestamp"] < END)]


def assert_utc(rows: pd.DataFrame, *columns: str) -> None:
    for column in columns:
        assert str(rows[column].dt.tz) == "UTC", column


def test_every_reading_of_the_log_is_stored_or_set_aside_with_a_reason(installation, recorded):
    raw, aside = installation.export("raw_bms_readings"), installation.export("quarantine", end=pd.Timestamp.now("UTC"))
    refused = aside[aside["source"] == "bms"]
    assert len(recorded) > 20_000
    assert len(raw) + len(refused) == len(recorded)
    assert refused["reason"].ne("").all()
    assert list(raw.columns) == ["point_id", "timestamp", "value", "received_at"]
    assert_utc(raw, "timestamp", "received_at")
    joined = raw.merge(
        recorded, left_on=["point_id", "timestamp"], right_on=["external_log_id", "timestamp"], suffixes=("", "_log")
    )
    assert len(joined) == len(raw)
    np.testing.assert_allclose(joined["value"], joined["value_log"])


def test_every_stored_reading_is_judged_and_none_deleted(installation):
    raw, clean = installation.export("raw_bms_readings"), installation.export("clean_series")
    pd.testing.assert_frame_equal(
        clean[["point_id", "timestamp"]].sort_values(["point_id", "timestamp"], ignore_index=True),
        raw[["point_id", "timestamp"]].sort_values(["point_id", "timestamp"], ignore_index=True),
    )
    assert list(clean.columns) == ["point_id", "room", "quantity", "timestamp", "value", "unit", "quality"]
    assert (clean["quality"] == "good").mean() > 0.9
    assert set(clean["room"].dropna()) == ROOMS
    assert_utc(clean, "timestamp")


def test_the_room_table_has_each_room_in_each_window(installation):
    rooms = installation.export("room_table")
    assert rooms.groupby("room").size().to_dict() == dict.fromkeys([*ROOMS, "building"], WINDOWS)
    assert_utc(rooms, "timestamp")
    temperatures = rooms[rooms["room"].isin(ROOMS)]["air_temperature"]
    assert temperatures.notna().mean() > 0.9
    assert temperatures.dropna().between(10, 35).all()


def test_there_is_a_whole_plan_for_every_window(installation):
    plans = installation.export("shade_setpoint_schedule", start=START + STEP)
    issues = pd.date_range(START + STEP, END, freq=STEP)
    assert len(issues) == WINDOWS
    assert list(plans["issued_at"].drop_duplicates().sort_values()) == list(issues)
    assert set(plans["room"]) == ROOMS
    assert plans.groupby(["issued_at", "room"]).size().eq(144).all()
    first = plans.groupby(["issued_at", "room"])["valid_time"].min().reset_index()
    assert first["valid_time"].eq(first["issued_at"]).all()
    assert plans["shade_position"].between(0, 1).all()
    assert np.isfinite(plans[["shade_position", "heating_setpoint", "cooling_setpoint"]]).all(axis=None)
    assert (plans["heating_setpoint"] < plans["cooling_setpoint"]).all()
    assert plans["reason"].str.len().gt(0).all()
    assert_utc(plans, "issued_at", "valid_time")


def test_the_forecast_of_a_past_window_is_marked_as_one_that_was_not_known_then(installation):
    forecast = installation.export("weather_forecast")
    assert set(forecast["kind"]) == {"hindcast"}
    assert forecast["interval_minutes"].eq(15).all()
    assert_utc(forecast, "issued_at", "valid_time")


def test_the_sun_is_computed_for_each_room_and_a_shade_keeps_some_of_it_out(installation):
    gains = installation.export("solar_gain")
    assert set(gains["room"]) == ROOMS
    assert list(gains.columns) == ["room", "valid_time", "poa_global", "gain_open", "gain_shaded"]
    assert_utc(gains, "valid_time")
    for room in ROOMS:
        mine = gains[(gains["room"] == room) & (gains["valid_time"] >= START) & (gains["valid_time"] < END)]
        assert mine["valid_time"].is_unique
        assert len(mine) == WINDOWS
        night = mine["valid_time"].dt.hour.isin([22, 23, 0, 1, 2])
        assert mine.loc[night, "gain_open"].eq(0).all()
        assert mine["gain_open"].max() > 1000
        sunny = mine[mine["gain_open"] > 100]
        assert (sunny["gain_shaded"] < sunny["gain_open"]).all()


def test_the_same_run_again_changes_nothing_that_was_stored(installation):
    tables = ["raw_bms_readings", "clean_series", "room_table", "quarantine"]
    before = {table: installation.digests(table) for table in tables}
    assert len(before["raw_bms_readings"]) == 8
    installation.materialize("2017-03-24-00:00", "2017-03-25-23:45")
    assert {table: installation.digests(table) for table in tables} == before
