from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.frames import RAW_BMS_READINGS, RHYTHM, Frame
from esus_pipeline.readings import clean, room_sources, room_table, slow_points, speak, tables, with_context
from esus_pipeline_tests.readings.house import NOON, STEP, A, house, raw

DAY = 24 * 60
END = NOON + STEP


class Reads:
    """An archive that remembers what it was asked."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self.asked: list[tuple[datetime, datetime, Any]] = []

    def __call__(self, frame: Frame, start: datetime, end: datetime, /, **only: Any) -> pd.DataFrame:
        if frame is RHYTHM:
            return frame.empty()
        assert frame is RAW_BMS_READINGS
        self.asked.append((start, end, only.get("point_id")))
        rows = self.rows[(self.rows.timestamp >= start) & (self.rows.timestamp < end)]
        return rows[rows.point_id.isin(only["point_id"])] if only else rows


def test_slow_points_are_those_that_may_be_older_than_a_day():
    assert slow_points(house()) == {40: timedelta(days=31)}


def test_an_empty_archive_gives_empty_rooms():
    rows, rooms, sources = tables(Reads(raw()), house(), NOON, END, ())
    assert rows.empty
    assert len(rooms) == 7
    assert rooms.drop(columns=["room", "timestamp"]).isna().all(axis=None)
    assert sources.empty


def test_two_days_are_read_of_all_points_and_no_more_when_the_slow_ones_are_heard_in_it():
    reads = Reads(raw((40, -60, 21), (10, -60, 1), (10, -4 * DAY, 1)))
    got = with_context(reads, house(), NOON, END)
    assert len(got) == 2
    assert reads.asked == [(NOON - timedelta(hours=49), END, None)]


def test_a_slow_point_is_looked_for_until_it_is_found():
    reads = Reads(raw((40, -10 * DAY, 21), (40, -12 * DAY, 19), (10, -10 * DAY, 1)))
    got = with_context(reads, house(), NOON, END)
    assert got.value.tolist() == [21]
    assert len(reads.asked) == 1 + 9
    assert all(points == [40] for _, _, points in reads.asked[1:])
    assert tables(reads, house(), NOON, END, ())[1].set_index("room").order[A] == 21


def test_a_slow_point_heard_only_in_the_window_is_still_looked_for():
    reads = Reads(raw((40, 5, 22), (40, -10 * DAY, 21)))
    assert sorted(with_context(reads, house(), NOON, END).value) == [21, 22]


def test_a_bad_reading_does_not_end_the_search():
    reads = Reads(raw((40, -5 * DAY, 999), (40, -10 * DAY, 21)))
    assert tables(reads, house(), NOON, END, ())[1].set_index("room").order[A] == 21


def test_the_search_ends_at_the_greatest_age():
    reads = Reads(raw((40, -40 * DAY, 21)))
    assert with_context(reads, house(), NOON, END).empty
    assert reads.asked[-1][0] <= NOON - timedelta(days=31)
    assert reads.asked[-1][0] > NOON - timedelta(days=33)


def test_no_reading_is_read_twice(ou44):
    got = with_context(
        Reads(ou44.raw), ou44.site, datetime(2017, 4, 10, 8, tzinfo=UTC), datetime(2017, 4, 11, tzinfo=UTC)
    )
    assert not got.duplicated(["point_id", "timestamp"]).any()


def test_the_real_month_window_by_window_is_the_real_month_at_once(ou44, tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW_BMS_READINGS, ou44.raw)
    start, end = datetime(2017, 4, 10, tzinfo=UTC), datetime(2017, 4, 12, tzinfo=UTC)
    everything = clean(ou44.site, ou44.raw, None, end)
    spoken, sourced = speak(ou44.site, everything, start, end), ("air_temperature", "occupancy")
    rooms_at_once, sources_at_once = spoken.table(), room_sources(spoken, sourced, everything, RHYTHM.empty())
    rows_by_day, rooms_by_day, sources_by_day = tables(archive.read, ou44.site, start, end, sourced)
    pd.testing.assert_frame_equal(rooms_by_day, rooms_at_once, check_exact=True)
    pd.testing.assert_frame_equal(sources_by_day, sources_at_once, check_exact=True)
    pd.testing.assert_frame_equal(rows_by_day, everything[everything.timestamp >= start].reset_index(drop=True))
    for at in (start, start + timedelta(hours=0.5), start + timedelta(hours=7.25), end - STEP):
        rows, rooms, sources = tables(archive.read, ou44.site, at, at + STEP, sourced)
        for alone, many in ((rooms, rooms_at_once), (sources, sources_at_once)):
            within = many[many.timestamp == at].reset_index(drop=True)
            pd.testing.assert_frame_equal(alone, within, check_exact=True)
        inside = (everything.timestamp >= at) & (everything.timestamp < at + STEP)
        pd.testing.assert_frame_equal(rows, everything[inside].reset_index(drop=True))


def test_the_month_has_values_where_the_building_spoke(ou44):
    start, end = datetime(2017, 3, 22, tzinfo=UTC), datetime(2017, 4, 21, tzinfo=UTC)
    rooms = room_table(ou44.site, clean(ou44.site, ou44.raw, None, end), start, end)
    assert len(rooms) == 3 * 2880
    in_rooms = rooms[rooms.room != "building"]
    assert in_rooms.air_temperature.between(14, 26).mean() > 0.9
    assert in_rooms.co2.between(200, 3000).mean() == pytest.approx(1, abs=0.01)
