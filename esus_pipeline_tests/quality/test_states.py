"""What a point is believed to be: silent neighbours, late controllers, late data, and live against backfill."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.frames import CLEAN_SERIES, GAP, POINT_STATE, RHYTHM, STEP
from esus_pipeline.quality import State, Walk, learn
from esus_pipeline.quality.bounds import COLUMNS
from esus_pipeline.site import Site, load_site
from esus_pipeline.site.point import Point
from esus_pipeline_tests.score.worlds import with_points

DAY = datetime(2026, 3, 10, tzinfo=UTC)
ROOM = "1.213"


@pytest.fixture(scope="module")
def site() -> Site:
    """Six temperatures and a setpoint on one controller, two meters on another."""
    points = [point(k, "/A/t", "air_temperature", "degC", "measurement") for k in range(1, 7)]
    points += [point(7, "/A/s", "heating_setpoint", "degC", "setpoint")]
    points += [point(k, "/B/t", "heating_supply_temperature", "degC", "measurement") for k in (8, 9)]
    return with_points(load_site("tmv23"), tuple(points))


def point(id_: int, path: str, quantity: str, unit: str, role: str) -> Point:
    return Point(id=id_, path=f"{path}{id_}", room=ROOM, quantity=quantity, unit=unit, role=role)


def readings(site: Site, start: datetime, end: datetime, quality: str = "good") -> pd.DataFrame:
    """Every point every five minutes, the setpoint only at the start."""
    stamps = pd.date_range(start, end, freq="5min", inclusive="left", unit="us")
    rows = [
        pd.DataFrame(
            {
                "point_id": p.id,
                "room": p.room,
                "quantity": p.quantity,
                "timestamp": stamps[:1] if p.role == "setpoint" else stamps,
                "value": 21.0,
                "unit": p.unit,
                "quality": quality,
            }
        )
        for p in site.points
    ]
    return CLEAN_SERIES.conform(pd.concat(rows, ignore_index=True))


def without(rows: pd.DataFrame, points: set[int], start: datetime, end: datetime) -> pd.DataFrame:
    cut = rows["point_id"].isin(points) & (rows["timestamp"] >= start) & (rows["timestamp"] < end)
    return rows[~cut]


def state_at(archive: Archive, site: Site, clock: timedelta) -> pd.Series:
    """States of the window that ends at DAY + clock, by point."""
    states, _ = Walk(archive.read, site).judge(DAY + clock - STEP, DAY + clock)
    return states.set_index("point_id")["state"]


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_one_silent_point_is_late_then_missing_while_its_neighbours_and_the_setpoint_are_fine(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    archive.merge(CLEAN_SERIES, without(rows, {2}, DAY + hours(6), DAY + hours(24)))
    for clock, expected in [(6.5, State.CURRENT), (8.5, State.LATE), (14, State.LATE), (15, State.MISSING)]:
        states = state_at(archive, site, hours(clock))
        assert states[2] == expected
        assert set(states.drop([2, 7])) == {State.CURRENT}
        assert states[7] == State.SILENT_BY_NATURE


def test_a_silence_that_ends_within_a_quarter_of_an_hour_of_its_bound_is_told_of_nowhere_live_or_later(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    rows = without(rows, {2}, DAY + hours(5.9), DAY + hours(8))  # two hours and ten minutes; two are its bound
    archive.merge(CLEAN_SERIES, rows[rows["timestamp"] < DAY + hours(8)])
    live = state_at(archive, site, hours(8))
    archive.merge(CLEAN_SERIES, rows)
    later, ledger = Walk(archive.read, site).judge(DAY, DAY + hours(24))
    window = later["window"] == DAY + hours(8) - STEP
    assert live[2] == later.loc[window].set_index("point_id")["state"][2] == State.CURRENT
    assert set(later.loc[later["point_id"] == 2, "state"]) == {State.CURRENT}
    assert ledger["gap_start"].to_list() == [DAY + hours(6) - timedelta(minutes=10)]  # by the clock it is a gap


def test_a_late_controller_makes_all_its_points_late_and_no_other(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    archive.merge(CLEAN_SERIES, without(rows, set(range(1, 8)), DAY + hours(6), DAY + hours(24)))
    assert set(state_at(archive, site, hours(6.75)).drop(7)) == {State.CURRENT}
    states = state_at(archive, site, hours(7.5))
    assert set(states.loc[1:7]) == {State.LATE}
    assert set(states.loc[8:9]) == {State.CURRENT}
    assert set(state_at(archive, site, hours(15)).loc[1:6]) == {State.MISSING}


def test_late_data_revokes_missing_and_heals_the_ledger(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    archive.merge(CLEAN_SERIES, without(rows, {2}, DAY + hours(6), DAY + hours(12)))
    _, ledger = Walk(archive.read, site).judge(DAY + hours(12), DAY + hours(21))
    archive.merge(GAP, ledger)
    [gap] = archive.read(GAP).to_dict("records")
    assert (gap["point_id"], gap["state"]) == (2, "missing")
    assert gap["gap_start"] == DAY + hours(6) - timedelta(minutes=5)
    assert gap["gap_end"] == DAY + hours(12)
    assert gap["first_seen"] == DAY + hours(8)
    archive.merge(CLEAN_SERIES, rows)
    states, ledger = Walk(archive.read, site).judge(DAY + hours(6), DAY + hours(21))
    assert set(states.loc[states["point_id"] == 2, "state"]) == {State.CURRENT}
    archive.merge(GAP, ledger)
    [gap] = archive.read(GAP).to_dict("records")
    assert (gap["state"], gap["healed_at"]) == ("healed", DAY + hours(21))


def test_a_point_that_never_spoke_one_that_is_stuck_and_those_that_talk_nonsense_are_named(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    rows = without(rows, {3}, DAY, DAY + hours(24))
    later = rows["timestamp"] >= DAY + hours(6)
    rows.loc[later & (rows["point_id"] == 4), "quality"] = "out_of_range"
    rows.loc[later & (rows["point_id"] == 5), "quality"] = "stuck"
    rows.loc[rows["point_id"] == 6, "quality"] = "out_of_range"  # from its first reading on
    archive.merge(CLEAN_SERIES, rows)
    expected = {3: State.NEVER_REPORTED, 4: State.IMPLAUSIBLE, 5: State.STUCK, 6: State.IMPLAUSIBLE}
    assert state_at(archive, site, hours(12)).loc[3:6].to_dict() == expected


def test_an_absurd_setpoint_or_rare_speaker_is_implausible_until_it_says_something_else_live_and_backfilled(
    site, tmp_path
):
    people = point(10, "/A/p", "occupants", "person", "measurement")  # may be silent for days
    site, archive = with_points(site, (*site.points, people)), Archive(tmp_path)
    rows = readings(site, DAY, DAY + hours(96))
    rows = without(rows, {10}, DAY + hours(1), DAY + hours(96))
    rows.loc[rows["point_id"].isin([7, 10]), "quality"] = "out_of_range"
    changed = rows[rows["point_id"] == 7].assign(timestamp=pd.Timestamp(DAY + hours(80)), quality="good")
    archive.merge(CLEAN_SERIES, CLEAN_SERIES.conform(pd.concat([rows, changed])))
    for clock in (12, 47, 60, 79):
        assert set(state_at(archive, site, hours(clock))[[7, 10]]) == {State.IMPLAUSIBLE}
    assert state_at(archive, site, hours(81))[[7, 10]].to_list() == [State.SILENT_BY_NATURE, State.IMPLAUSIBLE]
    walk = Walk(archive.read, site)
    days = [walk.judge(DAY + hours(24 * k), DAY + hours(24 * (k + 1)))[0] for k in range(4)]
    whole = pd.concat(days).set_index(["window", "point_id"])["state"]
    for clock in (47, 49, 60, 81):
        live = state_at(archive, site, hours(clock))
        pd.testing.assert_series_equal(live, whole.loc[pd.Timestamp(DAY + hours(clock) - STEP)], check_names=False)


def test_a_switch_that_never_spoke_is_silent_by_nature_whatever_its_controller_does_and_a_sensor_never_reported(
    site, tmp_path
):
    people = point(10, "/A/p", "occupants", "person", "measurement")  # may be silent for days
    site, archive = with_points(site, (*site.points, people)), Archive(tmp_path)
    rows = without(readings(site, DAY, DAY + hours(24)), {3, 7, 10}, DAY, DAY + hours(24))
    archive.merge(CLEAN_SERIES, without(rows, set(range(1, 8)), DAY + hours(6), DAY + hours(24)))
    for clock, others in [(6.5, State.CURRENT), (7.5, State.LATE), (15, State.MISSING)]:
        states, gaps = Walk(archive.read, site).judge(DAY + hours(clock) - STEP, DAY + hours(clock))
        states = states.set_index("point_id")
        assert states.loc[1, "state"] == others
        assert states.loc[7, "state"] == State.SILENT_BY_NATURE
        assert set(states.loc[[3, 10], "state"]) == {State.NEVER_REPORTED}
        assert states.loc[[3, 7, 10], ["since", "age_minutes"]].isna().all(axis=None)
        assert not {3, 7, 10} & set(gaps["point_id"])


def test_a_setpoint_of_long_ago_is_not_lost_because_its_controller_is_an_hour_late(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(48))
    rows = without(rows, {7}, DAY + hours(1), DAY + hours(48))
    archive.merge(CLEAN_SERIES, without(rows, set(range(1, 8)), DAY + hours(30), DAY + hours(48)))
    for clock, expected in [(30.25, State.SILENT_BY_NATURE), (31.5, State.LATE), (39, State.MISSING)]:
        assert state_at(archive, site, hours(clock))[7] == expected


def test_a_controller_that_never_said_anything_has_never_reported_but_for_its_switches(site, tmp_path):
    archive = Archive(tmp_path)
    archive.merge(CLEAN_SERIES, without(readings(site, DAY, DAY + hours(24)), set(range(1, 8)), DAY, DAY + hours(24)))
    states = state_at(archive, site, hours(15))
    assert set(states.loc[1:6]) == {State.NEVER_REPORTED}
    assert states[7] == State.SILENT_BY_NATURE
    assert set(states.loc[8:9]) == {State.CURRENT}


def test_a_gap_that_the_next_version_finds_normal_ends_when_the_point_speaks_and_is_not_healed(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(48))
    archive.merge(CLEAN_SERIES, without(rows, {2}, DAY + hours(22), DAY + hours(26)))
    for day, bound in [(0, 60.0), (24, 600.0)]:
        version = learn(site, CLEAN_SERIES.empty(), DAY + hours(day)).assign(**dict.fromkeys(COLUMNS, bound))
        archive.merge(RHYTHM, version)
    for start, end in pairwise([0, 24, 25, 30, 40]):
        archive.merge(GAP, Walk(archive.read, site).judge(DAY + hours(start), DAY + hours(end))[1])
        [gap] = [row for row in archive.read(GAP).to_dict("records") if row["point_id"] == 2]
        assert gap["gap_start"] == DAY + hours(22) - timedelta(minutes=5)
        assert gap["state"] == ("missing" if end == 40 else "late")
        assert gap["gap_end"] == DAY + hours(26) if end > 26 else pd.isna(gap["gap_end"])
        assert pd.isna(gap["healed_at"])
    archive.merge(CLEAN_SERIES, rows)
    archive.merge(GAP, Walk(archive.read, site).judge(DAY + hours(40), DAY + hours(41))[1])
    [gap] = [row for row in archive.read(GAP).to_dict("records") if row["point_id"] == 2]
    assert gap["state"] == "healed"


def test_windows_judged_live_one_by_one_and_later_in_one_walk_agree(site, tmp_path):
    archive, rows = Archive(tmp_path), readings(site, DAY, DAY + hours(24))
    rows = without(rows, {2}, DAY + hours(3), DAY + hours(7))
    archive.merge(CLEAN_SERIES, without(rows, set(range(1, 8)), DAY + hours(4), DAY + hours(5.5)))
    whole, ledger = Walk(archive.read, site).judge(DAY, DAY + hours(8))
    live, single = Archive(tmp_path / "live"), []
    edges = [DAY, *(DAY + step * STEP for step in range(12, 33))]  # the quiet hours before in one
    for start, end in pairwise(edges):
        live.merge(CLEAN_SERIES, archive.read(CLEAN_SERIES, start, end))
        states, gaps = Walk(live.read, site).judge(start, end)
        single.append(states)
        live.merge(GAP, gaps)
    pd.testing.assert_frame_equal(whole, POINT_STATE.conform(pd.concat(single)))
    assert set(whole["state"]) == {State.CURRENT, State.LATE, State.SILENT_BY_NATURE}
    pd.testing.assert_frame_equal(ledger, live.read(GAP))
    assert set(ledger["point_id"]) == {2}
