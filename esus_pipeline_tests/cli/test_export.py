import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.cli import export
from esus_pipeline.export import IN_FORCE, TABLES, ExportError, check_file, table, write
from esus_pipeline.frames import (
    ELECTRICITY_PRICE,
    OPTIMAL_PLAN,
    QUARANTINE,
    RAW_BMS_READINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.readings import room_frame
from esus_pipeline.site import load_site

SITE = load_site("tmv23")
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN_STEPS = 3


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path)


def valid_times(issued_at, steps):
    return pd.date_range(issued_at, periods=steps, freq=STEP, unit="us")


def store_plan(archive, issued_at, position=0.0):
    plan = pd.DataFrame({"valid_time": valid_times(issued_at, PLAN_STEPS)}).assign(
        issued_at=pd.Timestamp(issued_at),
        room="1.213",
        shade_position=position,
        heating_setpoint=20.0,
        cooling_setpoint=26.0,
        reason="because",
        rule="wind",
        predicted_temperature=np.nan,
        baseline_shade_position=np.nan,
        setpoint_reason="because",
    )
    archive.merge(SHADE_SETPOINT_SCHEDULE, plan)


def store_gains(archive, issued_at, first, gain):
    rows = pd.DataFrame({"valid_time": valid_times(first, 2)}).assign(
        issued_at=pd.Timestamp(issued_at), room="1.213", poa_global=1.0, gain_open=gain, gain_shaded=gain / 10
    )
    archive.merge(SOLAR_GAIN, rows)


def issues(archive, start, end):
    plans = table(archive, SITE, "shade_setpoint_schedule", start, end)
    sizes = plans.groupby("issued_at").size()
    assert (sizes == PLAN_STEPS).all(), "an issue is told as a whole"
    return [stamp.to_pydatetime() for stamp in sizes.index]


def test_in_force_is_the_issue_known_at_the_start_and_every_later_one_until_the_end(archive):
    for hours in (-2, -1, 1, 2, 3, 4):
        store_plan(archive, NOON + hours * HOUR)
    assert issues(archive, NOON, NOON + 3 * HOUR) == [NOON + hours * HOUR for hours in (-1, 1, 2, 3)]
    assert issues(archive, NOON + HOUR, NOON + 2 * HOUR) == [NOON + HOUR, NOON + 2 * HOUR]
    assert issues(archive, NOON + 2 * HOUR - timedelta(microseconds=1), NOON + 2 * HOUR) == [
        NOON + HOUR,
        NOON + 2 * HOUR,
    ]


def test_at_an_instant_the_issue_known_then_is_in_force(archive):
    for hours in (-1, 0, 1):
        store_plan(archive, NOON + hours * HOUR)
    assert issues(archive, NOON, NOON) == [NOON]
    assert issues(archive, NOON + HOUR - STEP, NOON + HOUR - STEP) == [NOON]


def test_where_nothing_was_known_at_the_start_the_later_ones_are_told(archive):
    store_plan(archive, NOON + HOUR)
    assert issues(archive, NOON, NOON + 2 * HOUR) == [NOON + HOUR]
    assert issues(archive, NOON - 2 * HOUR, NOON) == []


def test_an_issue_of_more_than_two_days_ago_is_not_in_force(archive):
    assert timedelta(hours=48) == IN_FORCE
    store_plan(archive, NOON)
    assert issues(archive, NOON + IN_FORCE, NOON + IN_FORCE + HOUR) == [NOON]
    assert issues(archive, NOON + IN_FORCE + STEP, NOON + IN_FORCE + HOUR) == []


def test_a_zone_of_the_span_says_the_same_instant(archive):
    store_plan(archive, NOON)
    assert issues(archive, NOON.astimezone(SITE.zone), (NOON + HOUR).astimezone(SITE.zone)) == [NOON]


def test_forecasts_keep_their_issue(archive):
    for hours in (-1, 0):
        rows = pd.DataFrame({"valid_time": valid_times(NOON, 4)}).assign(
            issued_at=pd.Timestamp(NOON + hours * HOUR), interval_minutes=15, ghi=1.0, dni=1.0, dhi=1.0, temp_air=1.0,
            wind_speed=1.0, wind_gust=1.0, cloud_cover=1.0, source="open-meteo", kind="forecast",
        )  # fmt: skip
        archive.merge(WEATHER_FORECAST, rows)
    forecast = table(archive, SITE, "weather_forecast", NOON, NOON)
    assert list(forecast.columns) == WEATHER_FORECAST.schema.names
    assert forecast["issued_at"].unique().tolist() == [pd.Timestamp(NOON)]


def test_solar_gain_is_the_newest_estimate_for_each_room_and_time(archive):
    store_gains(archive, NOON - HOUR, NOON, 100.0)
    store_gains(archive, NOON, NOON + STEP, 200.0)
    store_gains(archive, NOON + HOUR, NOON + STEP, 300.0)
    store_gains(archive, NOON + 2 * HOUR, NOON, 400.0)
    at_noon = table(archive, SITE, "solar_gain", NOON - HOUR, NOON)
    assert list(at_noon.columns) == ["room", "valid_time", "poa_global", "gain_open", "gain_shaded"]
    assert at_noon["valid_time"].tolist() == list(valid_times(NOON, 3))
    assert at_noon["gain_open"].tolist() == [100.0, 200.0, 200.0]
    later = table(archive, SITE, "solar_gain", NOON - HOUR, NOON + HOUR)
    assert later["gain_open"].tolist() == [100.0, 300.0, 300.0]
    assert later["gain_shaded"].tolist() == [10.0, 30.0, 30.0]


def test_readings_are_the_rows_of_the_span_with_its_end_left_out(archive):
    stamps = valid_times(NOON, 4)
    archive.merge(
        RAW_BMS_READINGS,
        pd.DataFrame({"point_id": 6023, "timestamp": stamps, "value": [1.0, 2.0, 3.0, 4.0], "received_at": stamps}),
    )
    found = table(archive, SITE, "raw_bms_readings", NOON + STEP, NOON + 3 * STEP)
    assert found["value"].tolist() == [2.0, 3.0]


def test_an_optimum_is_told_as_a_plan_is_and_prices_are_those_of_the_span(archive):
    for hours in (-2, -1, 1):
        hour = valid_times(NOON + hours * HOUR, 1)
        optimum = dict.fromkeys(OPTIMAL_PLAN.schema.names, np.nan) | {"issued_at": hour, "room": "1.213"}
        archive.merge(OPTIMAL_PLAN, pd.DataFrame(optimum | {"valid_time": hour, "failure": ""}))
    found = table(archive, SITE, "optimal_plan", NOON, NOON + HOUR)
    assert found["issued_at"].tolist() == [NOON - HOUR, NOON + HOUR]
    stamps = valid_times(NOON, 4)
    prices = pd.DataFrame({"issued_at": stamps[0], "price_area": "DK1", "valid_time": stamps, "price": range(4)})
    archive.merge(ELECTRICITY_PRICE, prices.assign(interval_minutes=15, source="test", price=prices["price"] / 2))
    assert table(archive, SITE, "electricity_price", NOON + STEP, NOON + 3 * STEP)["price"].tolist() == [0.5, 1.0]


def test_what_explains_a_plan_can_be_exported_and_the_command_names_every_table():
    assert {"decision_trace", "electricity_price", "occupancy_forecast", "optimal_plan", "room_models"} <= set(TABLES)
    assert [name for name in TABLES if not re.search(rf"\b{name}\b", export.help)] == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_an_empty_archive_is_an_empty_table_with_its_columns(archive, name):
    found = table(archive, SITE, name, NOON, NOON + HOUR)
    assert found.empty
    assert len(found.columns) >= 4
    stamps = found.select_dtypes("datetimetz")
    assert {str(dtype) for dtype in stamps.dtypes} == {"datetime64[us, UTC]"}


def test_the_room_table_has_a_column_for_each_quantity_of_the_site(archive):
    rooms = table(archive, SITE, "room_table", NOON, NOON + HOUR)
    assert list(rooms.columns) == room_frame(SITE).schema.names
    assert {"room", "timestamp", "air_temperature", "co2", "wind_speed"} <= set(rooms.columns)


@pytest.fixture
def rows():
    stamps = pd.to_datetime(["2026-06-21T10:00:00.250001Z", "2026-06-21T10:15:00.000000Z"]).as_unit("us")
    return QUARANTINE.conform(
        pd.DataFrame(
            {
                "received_at": stamps,
                "source": "bms",
                "reason": ["a", "b"],
                "point_id": [7, 8],
                "record": ['{"x":"1,5"}', "æ\n"],
            }
        )
    )


def test_parquet_keeps_everything_with_the_stamps_in_utc(tmp_path, rows):
    write(rows, tmp_path / "a.parquet")
    back = pd.read_parquet(tmp_path / "a.parquet")
    assert str(back["received_at"].dtype) == "datetime64[us, UTC]"
    pd.testing.assert_frame_equal(back, rows)


def test_csv_keeps_everything_with_the_zone_beside_each_stamp(tmp_path, rows):
    write(rows, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("2026-06-21T10:00:00.250001Z,bms,a,7,")
    assert lines[2].startswith("2026-06-21T10:15:00.000000Z,bms,b,8,")
    back = pd.read_csv(tmp_path / "a.csv", parse_dates=["received_at"])
    assert back["received_at"].tolist() == rows["received_at"].tolist()
    assert back["record"].tolist() == rows["record"].tolist()


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz", ".csv"])
def test_another_ending_is_refused(tmp_path, rows, name):
    with pytest.raises(ExportError, match=rf"^{re.escape(name)} must end in \.parquet or \.csv$"):
        write(rows, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused_and_not_made(tmp_path):
    with pytest.raises(ExportError, match=r"there is no folder .*/none; make it first"):
        check_file(tmp_path / "none" / "a.csv")
    assert list(tmp_path.iterdir()) == []
