"""Which point a value of the room table comes from, how old its reading is, and for whom it stands in."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.frames import RHYTHM, ROOM_SOURCES
from esus_pipeline.readings import Quality, clean, room_sources, speak
from esus_pipeline_tests.readings.house import NOON, STEP, A, house, raw

ALL = {point.quantity for point in house().points}
FINE, COARSE = 61, 60
DAY = 24 * 60


def rhythm(**usual: int) -> pd.DataFrame:
    """A version that was learned from so many silences of each point."""
    rows = RHYTHM.empty().reindex(range(len(usual)))
    return RHYTHM.conform(
        rows.assign(
            valid_from=pd.Timestamp(NOON),
            point_id=[int(name[1:]) for name in usual],
            kind="periodic",
            gaps=usual.values(),
        )
    )


def sources(
    *rows: tuple[int, float, float], windows: int = 1, start: int = 0, learned: pd.DataFrame | None = None
) -> pd.DataFrame:
    first = NOON + start * STEP
    series = clean(house(), raw(*rows), None, NOON + timedelta(days=2))
    rooms = speak(house(), series, first, first + windows * STEP)
    return room_sources(rooms, ALL, series, RHYTHM.empty() if learned is None else learned)


def told(*rows: tuple[int, float, float], **options: Any) -> list[tuple[Any, ...]]:
    """(point, age in minutes, stands in for, because) of room A's co2, window by window."""
    got = sources(*rows, **options)
    got = got[(got["room"] == A) & (got["quantity"] == "co2")].astype(object)
    got = got.where(got.notna(), None)
    return list(got[["point_id", "age_minutes", "stands_in_for", "because"]].itertuples(index=False, name=None))


def every(minutes: int, point: int, value: float = 500.0, start: int = -DAY, end: int = 15) -> list[Any]:
    """Readings so often, each a little different."""
    return [(point, minute, value + minute % 7) for minute in range(start, end, minutes)]


def test_a_value_tells_its_point_and_how_old_the_newest_reading_is_at_the_windows_end():
    assert told((COARSE, -20, 500)) == [(COARSE, 35, None, None)]
    assert told((COARSE, -20, 500), (COARSE, 3, 500), (COARSE, 15, 500)) == [(COARSE, 12, None, None)]


def test_what_has_no_value_has_no_row():
    got = sources((COARSE, -10 * 60, 500), (99, 3, 283.15), windows=2)
    assert set(got["quantity"]) == {"outdoor_temperature"}
    assert got["room"].tolist() == ["building"] * 2
    assert sources(windows=0).empty
    assert sources().columns.tolist() == ROOM_SOURCES.schema.names


def test_only_the_quantities_asked_for_are_told():
    series = clean(house(), raw((COARSE, 3, 500), (10, 3, 1)), None, NOON + STEP)
    got = room_sources(speak(house(), series, NOON, NOON + STEP), ["level"], series, RHYTHM.empty())
    assert got["point_id"].tolist() == [10]


def test_the_better_log_stands_in_for_nobody():
    both = every(2, FINE) + every(30, COARSE)
    assert told(*both) == [(FINE, 1, None, None)]
    assert told(*every(2, FINE), *every(30, COARSE, end=-DAY // 2)) == [(FINE, 1, None, None)]


def test_a_log_that_was_usually_better_and_has_a_value_is_not_stood_in_for():
    rows = every(2, COARSE) + every(30, FINE, start=-DAY + 10)
    assert told(*rows, learned=rhythm(p60=1300, p61=9000)) == [(COARSE, 1, None, None)]


def test_the_coarse_log_stands_in_for_the_fine_one_that_is_silent():
    rows = every(2, FINE, end=-125) + every(30, COARSE, start=-DAY + 10)
    assert told(*rows) == [(COARSE, 5, FINE, "silent")]


def test_the_coarse_log_stands_in_for_the_fine_one_whose_readings_are_flagged():
    rows = every(2, FINE, end=-125) + every(2, FINE, 60_000.0, start=-125) + every(30, COARSE, start=-DAY + 10)
    assert told(*rows) == [(COARSE, 5, FINE, "out_of_range")]
    once_flagged = [*every(2, FINE, end=-125), (FINE, -124, 60_000.0), *every(30, COARSE, start=-DAY + 10)]
    assert told(*once_flagged) == [(COARSE, 5, FINE, "silent")]


def test_a_stuck_log_is_told_as_stuck():
    stuck = [(FINE, minute, 700.0) for minute in range(-DAY + 2, 15, 2)]
    assert told(*stuck, *every(30, COARSE, start=-DAY + 10)) == [(COARSE, 5, FINE, "stuck")]


def test_what_broke_more_than_a_day_ago_is_still_stood_in_for_once_its_rhythm_is_known():
    rows = every(2, FINE, start=-3 * DAY, end=-2 * DAY) + every(30, COARSE, start=-3 * DAY + 10)
    assert told(*rows) == [(COARSE, 5, None, None)]
    assert told(*rows, learned=rhythm(p60=1300, p61=9000)) == [(COARSE, 5, FINE, "silent")]
    assert told(*every(30, COARSE, start=10 - DAY), learned=rhythm(p60=9000, p61=1300)) == [(COARSE, 5, None, None)]


def test_who_stands_in_may_change_from_window_to_window():
    rows = every(2, FINE, end=-108) + every(30, COARSE, start=-DAY + 10, end=60)
    rows += [(FINE, minute, 500.0 + minute % 7) for minute in range(46, 60, 2)]
    got = told(*rows, windows=4)
    assert [(point, better, why) for point, _, better, why in got] == [
        (FINE, None, None), (COARSE, FINE, "silent"), (COARSE, FINE, "silent"), (FINE, None, None),
    ]  # fmt: skip


GIVEN = st.lists(
    st.tuples(st.sampled_from([10, 20, 30, 40, 60, 61, 70]), st.integers(-400, 90), st.floats(0, 600)),
    unique_by=lambda row: row[:2],
    max_size=60,
)


@settings(max_examples=30, deadline=None)
@given(rows=GIVEN)
def test_sources_are_those_of_the_room_table(rows):
    series = clean(house(), raw(*rows), None, NOON + timedelta(days=2))
    rooms = speak(house(), series, NOON, NOON + 6 * STEP)
    table = rooms.table().set_index(["room", "timestamp"])
    got = room_sources(rooms, ALL, series, rhythm(p60=9, p61=99))
    assert len(got) == table.notna().sum().sum()
    newest = series[series["quality"] == Quality.GOOD].sort_values("timestamp")
    for row in got.itertuples():
        assert not np.isnan(table.loc[(row.room, row.timestamp), row.quantity])
        end = row.timestamp + STEP
        before = newest[(newest["point_id"] == row.point_id) & (newest["timestamp"] < end)]["timestamp"]
        assert row.age_minutes == pytest.approx((end - before.iloc[-1]) / pd.Timedelta("1min"))
        assert row.because != Quality.GOOD
        assert pd.isna(row.stands_in_for) == pd.isna(row.because)


@settings(max_examples=8, deadline=None)
@given(rows=GIVEN, later=GIVEN)
def test_one_window_alone_and_with_what_comes_later_is_the_same_as_within_many(rows, later):
    many = sources(*rows, windows=6)
    for step in range(6):
        end = 15 * (step + 1)
        known = [row for row in rows if row[1] < end] + [row for row in later if row[1] >= end]
        alone = sources(*known, start=step)
        within = many[many["timestamp"] == NOON + step * STEP].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, within, check_exact=True, check_dtype=len(within) > 0)
