import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esus_pipeline import frames
from esus_pipeline.frames import (
    CLEAN_SERIES,
    QUARANTINE,
    RAW_BMS_READINGS,
    SHADE_SETPOINT_SCHEDULE,
    TIMESTAMP,
    Frame,
    FrameError,
    room_table,
)

ALL = [*(each for each in vars(frames).values() if isinstance(each, Frame)), room_table(["co2", "air_temperature"])]
PANDAS = {
    "bool": "bool",
    "int64": "int64",
    "int32": "int32",
    "double": "float64",
    "string": "str",
    TIMESTAMP: "datetime64[us, UTC]",
}


def readings(**columns):
    """Two good raw readings, with columns replaced."""
    stamps = pd.to_datetime(["2026-06-21T10:00Z", "2026-06-21T10:01Z"])
    return pd.DataFrame(
        {"point_id": [1, 2], "timestamp": stamps, "value": [1.5, 2.5], "received_at": stamps, **columns}
    )


def test_all_tables_are_looked_at_below():
    assert sorted(each.name for each in ALL) == [
        "clean_series", "controller_rhythm", "decision_trace", "electricity_price", "gaps", "occupancy_forecast",
        "optimal_plan", "override_release", "point_rhythm", "point_states", "quarantine", "raw_bms_readings",
        "room_models", "room_sources", "room_table", "savings", "shade_setpoint_schedule", "solar_gain",
        "solar_gain_pane", "weather_forecast",
    ]  # fmt: skip


@pytest.mark.parametrize("frame", ALL, ids=lambda frame: frame.name)
class TestEveryTable:
    def test_key_and_time_are_columns_that_are_never_missing(self, frame):
        assert len(frame.key) == len(set(frame.key)) >= 2
        for name in {*frame.key, frame.time}:
            assert name in frame.schema.names
            assert not frame.schema.field(name).nullable
        assert frame.schema.field(frame.time).type == TIMESTAMP

    def test_every_column_is_described_and_has_a_unit(self, frame):
        assert frame.description.endswith(".")
        for field in frame.schema:
            assert set(field.metadata) == {b"unit", b"description"}, field.name
            assert field.metadata[b"description"], field.name
            if field.type == pa.float64():
                assert field.metadata[b"unit"], field.name
            if field.type == TIMESTAMP:
                assert field.metadata[b"unit"] == b"UTC", field.name

    def test_an_empty_one_has_the_types_of_a_full_one(self, frame):
        empty = frame.empty()
        assert len(empty) == 0
        assert list(empty.columns) == frame.schema.names
        for field in frame.schema:
            kind = field.type if field.type == TIMESTAMP else str(field.type)
            assert str(empty[field.name].dtype) == PANDAS[kind], field.name
        pd.testing.assert_frame_equal(frame.conform(empty), empty)

    def test_a_missing_column_is_named(self, frame):
        for name in frame.schema.names:
            with pytest.raises(FrameError, match=rf"^{frame.name}: missing columns \['{name}'\]$"):
                frame.conform(frame.empty().drop(columns=name))


def test_a_frame_gets_the_columns_their_order_and_their_types():
    given = readings(point_id=[1.0, 2.0], value=[1, 2], colour="red")[
        ["colour", "value", "received_at", "point_id", "timestamp"]
    ]
    made = RAW_BMS_READINGS.conform(given)
    assert list(made.columns) == ["point_id", "timestamp", "value", "received_at"]
    assert list(made.dtypes.astype(str)) == ["int64", "datetime64[us, UTC]", "float64", "datetime64[us, UTC]"]
    assert made["point_id"].tolist() == [1, 2]
    assert made["value"].tolist() == [1.0, 2.0]


def test_conforming_twice_changes_nothing():
    once = RAW_BMS_READINGS.conform(readings())
    pd.testing.assert_frame_equal(RAW_BMS_READINGS.conform(once), once)


def test_stamps_of_another_zone_become_utc_at_the_same_instant():
    local = pd.to_datetime(["2026-06-21T10:00Z", "2026-06-21T10:01Z"]).tz_convert("Europe/Copenhagen")
    made = RAW_BMS_READINGS.conform(readings(timestamp=local))
    assert str(made["timestamp"].dt.tz) == "UTC"
    assert made["timestamp"].tolist() == [pd.Timestamp("2026-06-21T10:00Z"), pd.Timestamp("2026-06-21T10:01Z")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"timestamp": pd.to_datetime(["2026-06-21"] * 2)},
            r"\.timestamp: time stamps must carry a zone, got datetime64",
        ),
        ({"timestamp": ["2026-06-21T10:00Z"] * 2}, r"\.timestamp: time stamps must carry a zone, got str"),
        ({"received_at": [1, 2]}, r"\.received_at: time stamps must carry a zone, got int64"),
        ({"point_id": [1.5, 2.0]}, ": .*Float value 1.500000 was truncated.*column point_id"),
        ({"point_id": ["one", "two"]}, ": .*point_id"),
        ({"point_id": [2**63, 2**63 + 1]}, ": "),
        ({"point_id": [2**70, 1]}, ": "),
        ({"value": [{}, []]}, ": "),
        ({"point_id": [1, None]}, r"\.point_id: 1 missing values"),
        ({"value": [2**53 + 1, 0]}, ": .*Integer value 9007199254740993 not in range.*column value"),
        ({"value": ["1,5", "2.5"]}, ": .*1,5"),
        ({"value": [1.5, np.nan]}, r"\.value: 1 missing values"),
        ({"value": [None, None]}, r"\.value: 2 missing values"),
        ({"timestamp": pd.to_datetime(["2026-06-21T10:00Z", None])}, r"\.timestamp: 1 missing values"),
        ({"timestamp": pd.to_datetime(["2026-06-21T10:00:00.000000001Z"] * 2)}, ": .*would lose data"),
    ],
)
def test_what_would_lose_or_lack_something_is_refused(columns, message):
    with pytest.raises(FrameError, match=rf"^raw_bms_readings.*{message}"):
        RAW_BMS_READINGS.conform(readings(**columns))


def test_what_may_be_missing_may():
    row = {
        "received_at": pd.Timestamp("2026-06-21T10:00Z"), "source": "bms", "reason": "not_json", "point_id": None,
        "record": "<html>",
    }  # fmt: skip
    made = QUARANTINE.conform(pd.DataFrame([row]))
    assert made["point_id"].isna().all()
    clean = CLEAN_SERIES.conform(
        readings(room=["1.213", None], quantity="co2", value=[400.0, np.nan], unit="ppm", quality="good")
    )
    assert clean["room"].isna().tolist() == [False, True]
    assert clean["value"].isna().tolist() == [False, True]


def test_a_plan_without_a_shade_position_is_refused():
    plan = pd.DataFrame([dict.fromkeys(SHADE_SETPOINT_SCHEDULE.schema.names)])
    plan["issued_at"] = plan["valid_time"] = pd.Timestamp("2026-06-21T10:00Z")
    plan[["room", "reason", "rule"]] = "x"
    plan[["heating_setpoint", "cooling_setpoint"]] = 20.0
    with pytest.raises(FrameError, match=r"shade_setpoint_schedule\.shade_position: 1 missing values"):
        SHADE_SETPOINT_SCHEDULE.conform(plan)


def test_the_room_table_has_a_sorted_column_for_each_quantity():
    assert room_table(["co2", "air_temperature", "co2"]).schema.names == ["room", "timestamp", "air_temperature", "co2"]
    assert room_table([]).schema.names == ["room", "timestamp"]


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.floats(allow_nan=False)), max_size=20))
def test_what_is_accepted_comes_back_unchanged(rows):
    stamps = pd.date_range("2026-06-21", periods=len(rows), freq="1us", tz="UTC", unit="us")
    given = pd.DataFrame(
        {
            "point_id": np.array([row[0] for row in rows], dtype=np.int64),
            "timestamp": stamps,
            "value": np.array([row[1] for row in rows], dtype=float),
            "received_at": stamps,
        }
    )
    pd.testing.assert_frame_equal(RAW_BMS_READINGS.conform(given), given)


def test_the_documented_tables_are_those_that_there_are():
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text[text.index("| table |") :].split("\n\n")[0]
    documented = [name for row in table.splitlines()[2:] for name in re.findall(r"\w+", row.split("|")[1])]
    assert sorted(documented) == sorted(each.name for each in ALL)
