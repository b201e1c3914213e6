from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.readings import clean, room_frame, room_table
from esus_pipeline_tests.readings.house import MINUTE, NOON, STEP, A, B, house, raw


def table(*rows: tuple[int, float, float], windows: int = 1, start: datetime = NOON) -> pd.DataFrame:
    end = start + windows * STEP
    return room_table(house(), clean(house(), raw(*rows), None, NOON + timedelta(days=2)), start, end)


def cells(column: str, *rows: tuple[int, float, float], windows: int = 1, room: str = A) -> list[float]:
    got = table(*rows, windows=windows)
    return pytest.approx(got.loc[got.room == room, column].tolist(), nan_ok=True)


NAN = float("nan")


def test_every_room_and_the_building_have_a_row_for_every_window():
    got = table(windows=3)
    assert got.columns.tolist() == room_frame(house()).schema.names
    assert got.groupby("room").size().to_dict() == dict.fromkeys([*house().room_ids, "building"], 3)
    assert got.timestamp.unique().tolist() == [pd.Timestamp(NOON + n * STEP) for n in range(3)]
    assert got.drop(columns=["room", "timestamp"]).isna().all(axis=None)


def test_no_window_no_row():
    assert table((10, 0, 1), windows=0).empty


def test_points_of_the_building_stand_in_its_own_rows():
    assert cells("outdoor_temperature", (99, 5, 283.15), room="building") == [10]
    assert cells("outdoor_temperature", (99, 5, 283.15), room=B) == [NAN]


def test_the_mean_of_a_held_signal():
    # 10 for five minutes, then 20 for ten; from 12:15 on, 20 held
    assert cells("level", (10, -10, 10), (10, 5, 20), windows=2) == [(10 * 5 + 20 * 10) / 15, 20]


def test_the_mean_is_over_the_time_that_is_known():
    assert cells("level", (10, 5, 20)) == [20]
    assert cells("level", (10, 5, 20), (10, 10, 40)) == [30]


def test_a_held_signal_ends_at_its_greatest_age():
    # ten minutes of the first window are left to the reading of 10:10; then 12:14 speaks for one minute
    assert cells("level", (10, -110, 10), (10, 14, 21)) == [(10 * 10 + 21) / 11]
    assert cells("level", (10, -110, 10), windows=2) == [10, NAN]
    assert cells("level", (10, -120, 10)) == [NAN]


def test_the_mean_of_the_line_between_readings():
    # 12:00 to 12:05 the line from 15 to 20, then 20 held; 12:15 to 12:20 the line from 24 to 26, then 26 held
    got = cells("slope", (20, -5, 10), (20, 5, 20), (20, 20, 26), windows=2)
    assert got == [(17.5 * 5 + 20 * 10) / 15, (25 * 5 + 26 * 10) / 15]


def test_readings_too_far_apart_are_not_joined():
    # two hours apart: the line stands at 65 at noon; one minute more: 10 is held until 12:09
    assert cells("slope", (20, -110, 10), (20, 10, 70)) == [(67.5 * 10 + 70 * 5) / 15]
    assert cells("slope", (20, -111, 10), (20, 10, 70)) == [(10 * 9 + 70 * 5) / 14]


def test_the_value_in_force_at_the_end_of_the_window():
    assert cells("state", (30, 0, 1), (30, 14, 2), (30, 15, 3), windows=2) == [2, 3]
    assert cells("state", (30, -105, 1), windows=2) == [1, NAN]
    assert cells("state", (30, -106, 1)) == [NAN]


def test_a_setpoint_of_weeks_ago_is_in_force():
    days = 24 * 60
    assert cells("order", (40, -30 * days, 21)) == [21]
    assert cells("order", (40, -31 * days + 14, 21)) == [NAN]
    assert cells("order", (40, -31 * days + 15, 21)) == [21]


def test_flagged_readings_are_not_used():
    assert cells("state", (30, 0, 1), (30, 5, 99)) == [1]
    assert cells("slope", (20, 0, 1), (20, 5, float("inf")), (20, 10, 3)) == [(2 * 10 + 3 * 5) / 15]


FINE = [(61, minute, 800.0) for minute in range(-60, 12, 2)]
COARSE = [(60, minute, 500.0) for minute in range(-60, 60, 15)]


def test_of_two_points_the_busier_one_speaks_and_the_other_when_it_is_silent():
    assert cells("co2", *FINE, *COARSE) == [800]
    stale = [(61, minute - 140, value) for _, minute, value in FINE]
    assert cells("co2", *stale, *COARSE) == [500]
    broken = [(61, minute, 60_000.0) for _, minute, _ in FINE]
    assert cells("co2", *broken, *COARSE) == [500]


def test_who_speaks_is_decided_by_the_day_before_each_window():
    day = 24 * 60
    formerly = [(61, minute - day, 800.0) for minute in range(-1000, 0)]
    assert cells("co2", *formerly, (61, 1, 800), *COARSE) == [500]


GIVEN = st.lists(
    st.tuples(st.sampled_from([10, 20, 30, 40, 60, 61, 70]), st.integers(-400, 90), st.floats(0, 600)),
    unique_by=lambda row: row[:2],
    max_size=60,
)


@settings(max_examples=20, deadline=None)
@given(rows=GIVEN, later=GIVEN)
def test_what_comes_at_or_after_a_windows_end_changes_nothing_in_it(rows, later):
    before = [row for row in rows if row[1] < 15]
    after = [row for row in rows + later if row[1] >= 15]
    after = list({row[:2]: row for row in after}.values())
    pd.testing.assert_frame_equal(table(*before), table(*before, *after), check_exact=True)


@settings(max_examples=8, deadline=None)
@given(rows=GIVEN)
def test_one_window_alone_is_the_same_to_the_last_bit_as_within_many(rows):
    many = table(*rows, windows=6)
    for n in range(6):
        start = NOON + n * STEP
        alone = table(*rows, start=start)
        within = many[many.timestamp == start].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, within, check_exact=True)


@settings(max_examples=20, deadline=None)
@given(rows=GIVEN)
def test_means_lie_between_the_readings(rows):
    values = [value for point, _, value in rows if point in (10, 20)]
    got = table(*rows, windows=6)[["level", "slope"]].to_numpy()
    known = got[~np.isnan(got)]
    assert len(known) == 0 or (known.min() >= min(values) - 1e-9 and known.max() <= max(values) + 1e-9)


def test_a_line_against_a_fine_sum(ou44):
    """The mean of every window of a day against the line drawn second by second."""
    start = datetime(2017, 4, 3, tzinfo=UTC)
    rows = clean(ou44.site, ou44.raw, None, start + timedelta(days=1))
    got = room_table(ou44.site, rows, start, start + timedelta(days=1)).set_index(["room", "timestamp"])
    series = rows[(rows.point_id == 1018) & (rows.quality == "good")].set_index("timestamp").value
    checked = 0
    for at in pd.date_range(start, periods=96, freq=STEP):
        known = series[: at + STEP - timedelta(microseconds=1)]
        if at - known.index[known.index <= at][-1] > timedelta(minutes=100):
            continue
        seconds = pd.date_range(at, periods=900, freq="s") + pd.Timedelta(milliseconds=500)
        line = np.interp(seconds.asi8, known.index.as_unit("us").asi8, known.to_numpy())
        cell = got.loc[("building", at), "supply_temperature_after_coil"]
        assert cell == pytest.approx(line.mean(), abs=1e-3)
        checked += 1
    assert checked > 90


def test_half_a_minute_of_reading_is_enough():
    assert cells("level", (10, 14.5, 3)) == [3]
    assert cells("slope", (20, 14.5, 3)) == [3]
    assert MINUTE * 15 == STEP
