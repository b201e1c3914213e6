import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline.simulator.command import simulate
from esus_pipeline.simulator.replay import Replay, ReplayError, shift_to

from .conftest import Serve

REAL = Path(__file__).resolve().parents[3] / "shared/data/ou44/readings.parquet"
NOW = datetime(2026, 7, 20, 10, 0, tzinfo=UTC)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "readings.csv"
    file.write_text(
        "external_log_id,timestamp,value\n"
        "1002,2017-04-03T08:00:00Z,21.5\n"
        "1001,2017-04-03T08:10:00+02:00,20.5\n"
        "1001,2017-04-03T08:30:00Z,20.75\n"
    )
    return file


def test_own_time_over_http(recording: Path, serve: Serve) -> None:
    client = serve(SimulatorConfig(site="ou44", replay=recording, replay_mode="own", request_s=0, point_s=0))
    params = {"starttime": "2017-04-03T00:00:00Z", "endtime": "2017-04-04T00:00:00Z", "externallogid": ["1001", "1002"]}
    records = client.get("/api/v1/trenddata", params=params).json()
    assert [(r["externallogid"], r["timestamp"], r["value"]) for r in records] == [
        (1001, "2017-04-03T08:10:00.000", 20.5),
        (1001, "2017-04-03T10:30:00.000", 20.75),
        (1002, "2017-04-03T10:00:00.000", 21.5),
    ]
    weather = {"latitude": "55.367", "longitude": "10.432", "start_date": "2017-04-03", "end_date": "2017-04-03"}
    hours = client.get("/v1/forecast", params={**weather, "hourly": "shortwave_radiation"}).json()["hourly"]
    assert len(hours["time"]) == 24
    assert max(hours["shortwave_radiation"]) > 50


def test_shift_is_whole_weeks_and_reaches_the_present(recording: Path) -> None:
    replay = Replay(recording, "shift", NOW)
    assert replay.shift % timedelta(weeks=1) == timedelta(0)
    last = datetime(2017, 4, 3, 8, 30, tzinfo=UTC) + replay.shift
    assert NOW <= last < NOW + timedelta(weeks=1)
    assert last.weekday() == 0


def test_what_is_shifted_beyond_the_present_waits_for_its_time(recording: Path) -> None:
    replay = Replay(recording, "shift", NOW)
    now = int(NOW.timestamp() * 1000)
    week = 7 * 86_400_000
    assert sum(len(r.stamp) for r in replay.readings([1001, 1002], now - week, now + week, now).values()) == 0
    later = replay.readings([1001, 1002], now - week, now + week, now + week)
    assert sum(len(r.stamp) for r in later.values()) == 3


def test_a_recording_that_ends_now_is_moved_by_nothing() -> None:
    assert shift_to(NOW, NOW) == timedelta(0)
    assert shift_to(NOW - timedelta(seconds=1), NOW) == timedelta(weeks=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("external_log_id,value\n1,2\n", "missing columns timestamp"),
        ("external_log_id,timestamp,value\n", "no readings"),
        ("external_log_id,timestamp,value\n1,never,2\n", "never"),
        ("external_log_id,timestamp,value\n1,2017-04-03T08:00:00Z,warm\n", "warm"),
    ],
)
def test_a_wrong_recording_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    with pytest.raises(ReplayError, match=reason) as refused:
        Replay(file, "own", NOW)
    assert "wrong.csv" in str(refused.value)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    run = CliRunner(env={"ESUS_BMS_PASSWORD": ""})
    assert "--replay" in run.invoke(simulate, ["--site", "ou44"]).output
    assert "no such file" in run.invoke(simulate, ["--site", "ou44", "--replay", str(tmp_path / "x")]).output
    assert "ESUS_BMS_PASSWORD" in run.invoke(simulate, ["--username", "u"]).output
    assert "neither a site" in run.invoke(simulate, ["--site", "nowhere"]).output
    assert "no fault 'x'" in run.invoke(simulate, ["--fault", "x"]).output
    assert "garbage_values" in run.invoke(simulate, ["--help"]).output


@pytest.mark.skipif(not REAL.is_file(), reason="the recorded month is not here")
def test_the_real_month_comes_whole(serve: Serve) -> None:
    points = [str(i) for i in pd.read_parquet(REAL)["external_log_id"].unique()]
    client = serve(SimulatorConfig(site="ou44", replay=REAL, replay_mode="own", request_s=0, point_s=0))
    params = {"starttime": "2017-03-01T00:00Z", "endtime": "2017-05-01T00:00Z", "externallogid": points}
    records = json.loads(client.get("/api/v1/trenddata", params=params).content)
    assert len(records) == 86_639
    assert min(record["timestamp"] for record in records) == "2017-03-21T01:00:00.000"
