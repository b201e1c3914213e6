import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esus_pipeline.defs.gaps import GRACE, inside, missing_windows, ranges
from esus_pipeline.frames import STEP

DAY = datetime(2026, 6, 21, tzinfo=UTC)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-21T{clock}:00+00:00")


windows = st.sets(st.integers(0, 200)).map(lambda steps: {DAY + step * STEP for step in steps})


def test_the_missing_windows_are_those_expected_and_not_done():
    done = {at("10:00"), at("10:30")}
    assert missing_windows(at("10:00"), at("11:15"), done) == [at("10:15"), at("10:45")]


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("10:26", "10:00"),  # the window 10:00 ended at 10:15 and is the live poll's until 10:27
        ("10:27", "10:00"),
        ("10:41", "10:15"),
        ("10:42", "10:15"),
    ],
)
def test_a_window_is_missing_only_when_its_time_of_grace_has_passed(now, last):
    missing = missing_windows(at("09:00"), at(now), ())
    overdue = [window for window in missing if at(now) >= window + STEP + GRACE]
    assert missing == overdue
    assert (at(last) in missing) == (at(now) >= at(last) + STEP + GRACE)


def test_nothing_is_missing_before_the_first_expected_window_has_ended():
    assert missing_windows(at("10:00"), at("10:00"), ()) == []
    assert missing_windows(at("10:00"), at("09:00"), ()) == []


@given(done=windows, minutes=st.integers(0, 60 * 48))
def test_done_and_missing_are_the_expected_windows_and_share_none(done, minutes):
    now = DAY + timedelta(minutes=minutes)
    missing = missing_windows(DAY, now, done)
    expected = {DAY + step * STEP for step in range(200) if DAY + step * STEP + STEP + GRACE <= now}
    assert set(missing) == expected - done
    assert missing == sorted(missing)


def test_neighbours_are_joined_to_ranges():
    assert ranges([at("10:15"), at("10:00"), at("11:00"), at("10:30")]) == [
        (at("10:00"), at("10:30")),
        (at("11:00"), at("11:00")),
    ]
    assert ranges([]) == []


@given(windows)
def test_ranges_hold_each_window_once_and_nothing_else_and_do_not_touch(given_windows):
    found = ranges(given_windows)
    covered = [first + step * STEP for first, last in found for step in range((last - first) // STEP + 1)]
    assert covered == sorted(given_windows)
    assert all(after[0] - before[1] > STEP for before, after in itertools.pairwise(found))


@given(windows, st.integers(-5, 205))
def test_inside_says_whether_a_range_holds_the_window(given_windows, step):
    window = DAY + step * STEP
    assert inside(window, ranges(given_windows)) == (window in given_windows)
