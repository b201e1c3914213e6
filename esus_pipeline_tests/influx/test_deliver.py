"""Windows from the archive to the real server: complete, in force, and the same however often and in whatever order."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.frames import (
    CLEAN_SERIES,
    GAP,
    POINT_STATE,
    QUARANTINE,
    SAVINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.influx import SINKS, Delivered, Sender, deliver, deliver_rows
from esus_pipeline.influx.lines import Shape
from esus_pipeline.readings import room_frame
from esus_pipeline.site import load_site
from esus_pipeline_tests.influx import stored
from esus_pipeline_tests.influx.answers import answering
from esus_pipeline_tests.influx.conftest import config_of

SITE = load_site("tmv23")
DAY = datetime(2026, 6, 21, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def send(influx, archive, sink, start, end) -> Delivered:
    with Sender(config_of(influx)) as sender:
        return deliver(archive, SITE, sender, SINKS[sink], start, end)


def heating(influx) -> dict[datetime, float]:
    rows = influx.query("SELECT heating_setpoint FROM shade_setpoint_schedule", epoch="s")
    return {datetime.fromtimestamp(row["time"], UTC): row["heating_setpoint"] for row in rows}


@pytest.mark.real
def test_the_plan_in_force_is_delivered_and_an_old_range_takes_no_time_back(influx, archive):
    plans = [stored.plan(NOON + n * STEP, heating=20.0 + n) for n in range(4)]
    archive.merge(SHADE_SETPOINT_SCHEDULE, pd.concat(plans))
    done = send(influx, archive, "influx_schedule", NOON - STEP, NOON + 3 * STEP)
    expected = {NOON + n * STEP: 20.0 + min(n, 3) for n in range(3 + 144)}
    assert heating(influx) == expected
    assert (done.rows, done.stored, done.quarantined) == (147, 147, 0)
    send(influx, archive, "influx_schedule", NOON - STEP, NOON)  # the first plan's window again
    assert heating(influx) == expected
    archive.merge(SHADE_SETPOINT_SCHEDULE, stored.plan(NOON + 4 * STEP, heating=30.0))
    send(influx, archive, "influx_schedule", NOON + 3 * STEP, NOON + 4 * STEP)
    assert heating(influx) == {time: 30.0 if time >= NOON + 4 * STEP else old for time, old in expected.items()} | {
        NOON + 147 * STEP: 30.0
    }
    row = influx.query("SELECT * FROM shade_setpoint_schedule")[5]
    assert (row["lead_hours"], row["reason"], row["rule"], row["room"], row["site"]) == (
        0.25, 'sun, "strong"', "sun", "a", "tmv23",
    )  # fmt: skip
    assert row.get("predicted_temperature") is None


@pytest.mark.real
def test_a_judged_day_comes_with_the_plans_of_the_next_day_and_what_is_not_known_is_absent(influx, archive):
    day = pd.Timestamp(DAY - timedelta(days=1))
    rows = pd.DataFrame({"room": ["a", "b"], "outcome": ["advice", "no_model"]}).assign(
        day=day, reason=["", "the room had no learned model yet"], version=1, draws="[]", saving=[1.5, np.nan]
    )
    archive.merge(SAVINGS, rows.reindex(columns=SAVINGS.schema.names))
    done = send(influx, archive, "influx_schedule", NOON - STEP, NOON)
    assert done.points == {"savings": 2}
    first, second = influx.query("SELECT * FROM savings", epoch="s")
    assert (first["time"], first["room"], first["saving"], first["outcome"]) == (day.timestamp(), "a", 1.5, "advice")
    assert (second["saving"], second["reason"]) == (None, "the room had no learned model yet")
    send(influx, archive, "influx_schedule", NOON + timedelta(days=3), NOON + timedelta(days=3) + STEP)
    assert len(influx.query("SELECT * FROM savings")) == 2


@pytest.mark.real
def test_a_range_over_days_is_in_force_everywhere_whatever_the_parts(influx, archive):
    """Gaps in the plans, ranges that begin in the middle: each time gets the newest plan that was known by then."""
    chance = np.random.default_rng(1)
    times = [DAY + int(n) * STEP for n in sorted(chance.choice(4 * 96, 60, replace=False))]
    archive.merge(SHADE_SETPOINT_SCHEDULE, pd.concat(stored.plan(t, heating=float(n)) for n, t in enumerate(times)))
    send(influx, archive, "influx_schedule", DAY - STEP, DAY + 4 * timedelta(days=1))
    expected = {}
    for number, issued in enumerate(times):
        expected |= {issued + step * STEP: float(number) for step in range(144)}
    assert heating(influx) == expected
    for _ in range(5):
        first = DAY + int(chance.integers(0, 300)) * STEP
        send(influx, archive, "influx_schedule", first, first + int(chance.integers(1, 90)) * STEP)
    assert heating(influx) == expected


@pytest.mark.real
def test_forecasts_stamped_before_their_window_and_nowcasts_are_in_force(influx, archive):
    archive.merge(WEATHER_FORECAST, stored.forecast(DAY, DAY - STEP, ghi=1.0))
    archive.merge(WEATHER_FORECAST, stored.forecast(NOON - timedelta(hours=5), NOON - timedelta(hours=6), ghi=2.0))
    archive.merge(SOLAR_GAIN, stored.gain(DAY, DAY, 200, 10.0))
    archive.merge(SOLAR_GAIN, stored.gain(NOON, NOON, 4, 11.0))
    send(influx, archive, "influx_weather_forecast", NOON - STEP, NOON)
    send(influx, archive, "influx_solar_gain", NOON - STEP, NOON)
    ghi = [row["ghi"] for row in influx.query("SELECT ghi FROM weather_forecast")]
    assert ghi == [1.0] * (7 * 4) + [2.0] * (240 - 4)
    gains = [row["gain_open"] for row in influx.query("SELECT gain_open FROM solar_gain")]
    assert gains == [10.0] * 48 + [11.0] * 4 + [10.0] * (200 - 52)


@pytest.mark.real
def test_readings_and_rooms_arrive_complete_with_exact_sums_and_again_nothing_changes(influx, archive):
    clean = stored.readings(DAY, 1440)
    archive.merge(CLEAN_SERIES, clean)
    frame = room_frame(SITE)
    rooms = pd.DataFrame({"room": ["a", "building"], "timestamp": DAY}).reindex(columns=frame.schema.names)
    rooms.loc[0, ["co2", "air_temperature"]] = [400.0, 21.0]
    archive.merge(frame, rooms)
    for _ in range(2):
        done = send(influx, archive, "influx_clean_series", DAY, DAY + timedelta(days=1))
        assert (done.rows, done.stored, done.empty) == (len(clean) + 2, len(clean) + 1, 1)
        assert influx.count("clean_series") == len(clean)
        [total] = influx.query("SELECT sum(value) AS total FROM clean_series")
        assert total["total"] == clean["value"].sum()
        flagged = influx.query("SELECT count(value) AS n FROM clean_series WHERE quality = 'out_of_range'")
        assert flagged[0]["n"] == (clean["quality"] == "out_of_range").sum()
        [room] = influx.query("SELECT * FROM room_table")
        assert {name: value for name, value in room.items() if value is not None} == {
            "time": room["time"], "site": "tmv23", "room": "a", "co2": 400.0, "air_temperature": 21.0,
        }  # fmt: skip
    assert sorted(row["value"] for row in influx.query('SHOW TAG VALUES FROM clean_series WITH KEY = "room"')) == [
        "a", "building",
    ]  # fmt: skip


def silence(began: datetime, state: str, ended: datetime | None = None, point: int = 6023) -> pd.DataFrame:
    times = {"gap_start": began, "gap_end": ended, "first_seen": began, "healed_at": None}
    stamps = {name: pd.to_datetime([time], utc=True) for name, time in times.items()}
    return GAP.conform(pd.DataFrame({"point_id": point, "state": state, **stamps}))


@pytest.mark.real
def test_a_gap_of_the_ledger_arrives_once_and_takes_up_its_end_and_what_became_of_it(influx, archive):
    began = NOON - timedelta(days=20)
    long_ago = silence(NOON - timedelta(days=9), "missing", NOON - timedelta(days=8), point=6397)

    def told() -> list[tuple[str, str, float | None]]:
        send(influx, archive, "influx_point_state", NOON - STEP, NOON)
        rows = influx.query("SELECT * FROM gap", epoch="s")
        assert {(row["time"], row["room"], row["site"]) for row in rows} == {(began.timestamp(), "1.215", "tmv23")}
        return [(row["point_id"], row["state"], row.get("minutes")) for row in rows]

    archive.merge(GAP, pd.concat([silence(began, "missing"), long_ago, silence(began, "late", point=1)]))
    assert told() == told() == [("6023", "missing", None)]
    archive.merge(GAP, silence(began, "missing", NOON - timedelta(hours=1)))
    assert told() == [("6023", "missing", 20 * 1440 - 60)]
    archive.merge(GAP, silence(began, "healed", NOON - timedelta(hours=1)))
    assert told() == [("6023", "healed", 20 * 1440 - 60)]
    send(influx, archive, "influx_point_state", NOON - timedelta(days=8), NOON)
    assert influx.count("gap", "state") == 2


@pytest.mark.real
def test_a_state_says_since_when_in_milliseconds(influx, archive):
    rows = pd.DataFrame({"point_id": [1, 2], "state": ["missing", "current"], "since": [NOON, pd.NaT]})
    rows = rows.assign(
        window=DAY, room="a", quantity="co2", controller="c", since=pd.to_datetime(rows["since"], utc=True)
    )
    archive.merge(POINT_STATE, rows.reindex(columns=POINT_STATE.schema.names))
    send(influx, archive, "influx_point_state", DAY, DAY + STEP)
    found = {row["point_id"]: row["since_ms"] for row in influx.query("SELECT * FROM point_state")}
    assert found == {"1": NOON.timestamp() * 1000, "2": None}


def test_a_refused_row_is_in_quarantine_with_what_influxdb_said(archive):
    archive.merge(SOLAR_GAIN, stored.gain(NOON, NOON, 2, 11.0))
    refusal = (422, {}, '{"message":"field type conflict on gain_open"}')
    with answering(refusal, refusal, (204, {}, "")) as server:
        done = send(server, archive, "influx_solar_gain", NOON - STEP, NOON)
    assert (done.rows, done.stored, done.quarantined) == (2, 1, 1)
    [row] = archive.read(QUARANTINE).to_dict("records")
    assert (row["source"], row["reason"]) == ("influxdb", "refused")
    assert row["record"].startswith("field type conflict on gain_open | solar_gain,room=a,site=tmv23 poa_global=1.0,")


def test_memory_does_not_grow_with_the_rows_of_a_part(archive):
    """A part is encoded batch by batch: the lines of 200,000 rows, 15 MB and more, are never there at once."""
    count = 200_000
    rows = pd.DataFrame({"time": pd.date_range(DAY, periods=count, freq="s"), "room": "a", "value": np.arange(count)})
    with answering((204, {}, "")) as server, Sender(config_of(server)) as sender:
        server.keep = False
        tracemalloc.start()
        deliver_rows(archive, SITE, sender, Shape("m", "time", ("room",), ("value",)), [rows], done := Delivered())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert done.stored == count
    assert peak < 12e6
