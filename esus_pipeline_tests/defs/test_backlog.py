"""What waits for delivery, as plain data: nothing is lost, whatever fails, and runs stay few."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from esus_pipeline.defs import backlog
from esus_pipeline.defs.backlog import HOLD, Backlog
from esus_pipeline.frames import STEP

DAY = datetime(2026, 6, 21, tzinfo=UTC)
NOW = DAY + timedelta(days=1)


def windows(first: int, count: int, step: int = 1) -> list[datetime]:
    return [DAY + number * STEP for number in range(first, first + count * step, step)]


def span(errand) -> tuple[int, int]:
    return (errand.first - DAY) // STEP, (errand.last - DAY) // STEP


def run(waiting: Backlog, now: datetime, delivered: bool = True, busy=()):
    errand = waiting.next_errand(now, busy)
    if errand:
        waiting.start(errand, now, busy)
        waiting.settle(delivered, now)
    return errand


def test_windows_of_all_sinks_become_one_run_of_the_oldest_and_the_number_says_what_waits():
    waiting = Backlog()
    waiting.add("clean", windows(10, 4), NOW)
    waiting.add("plan", windows(12, 4), NOW)
    waiting.add("plan", windows(90, 2), NOW)
    assert waiting.waiting() == 8
    errand = waiting.next_errand(NOW, ())
    assert (span(errand), errand.sinks) == ((10, 15), ["clean", "plan"])
    waiting.start(errand, NOW, ())
    assert waiting.waiting() == 2
    assert waiting.next_errand(NOW, ()) is None, "one run at a time"
    waiting.settle(True, NOW)
    assert span(run(waiting, NOW)) == (90, 91)
    assert run(waiting, NOW) is None
    assert waiting.waiting() == 0


def test_windows_that_a_run_works_on_wait_for_its_end_but_not_for_ever():
    waiting = Backlog()
    waiting.add("clean", windows(10, 4), NOW)
    busy = [(DAY + 11 * STEP, DAY + 12 * STEP)]
    errand = run(waiting, NOW, busy=busy)
    assert span(errand) == (10, 13), "what is near is delivered by one run"
    assert waiting.waiting() == 2
    assert run(waiting, NOW, busy=busy) is None
    assert span(run(waiting, NOW + HOLD, busy=busy)) == (11, 12)


def test_a_year_is_a_dozen_runs_and_its_cursor_stays_small():
    waiting = Backlog()
    year = windows(0, 365 * 96)
    for page in range(0, len(year), 2000):
        waiting.add("clean", year[page : page + 2000], NOW)
    assert len(waiting.model_dump_json()) < 500
    runs = 0
    while run(waiting, NOW):
        runs += 1
    assert runs == 12


def test_scattered_windows_keep_the_cursor_small():
    waiting = Backlog()
    waiting.add("clean", windows(0, 1000, step=60), NOW)
    assert len(waiting.pieces["clean"]) <= backlog.MOST_RANGES
    assert len(waiting.model_dump_json()) < 20_000


def test_failures_pause_longer_and_longer_up_to_an_hour_and_success_ends_it():
    waiting, now, pauses = Backlog(), NOW, []
    waiting.add("clean", windows(0, 1), now)
    for _ in range(10):
        assert run(waiting, now, delivered=False)
        assert run(waiting, now) is None
        pauses.append(waiting.pause_until - now)
        now = waiting.pause_until
    assert pauses[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert pauses[-1] == timedelta(hours=1)
    assert waiting.waiting() == 1
    assert run(waiting, now)
    assert (waiting.failures, waiting.pause_until, waiting.waiting()) == (0, None, 0)


def test_a_day_that_cannot_be_delivered_does_not_keep_the_others_back():
    waiting, now, bad = Backlog(), NOW, DAY + 15 * 96 * STEP
    waiting.add("clean", windows(0, 30 * 96), now)
    delivered: set[datetime] = set()
    for _ in range(60):
        errand = waiting.next_errand(now, ())
        if errand:
            good = not errand.first <= bad <= errand.last
            run(waiting, now, delivered=good)
            if good:
                delivered |= {errand.first + n * STEP for n in range((errand.last - errand.first) // STEP + 1)}
        now += timedelta(minutes=20)
    assert len(delivered) >= 29 * 96
    assert bad not in delivered
    assert waiting.waiting() <= 96


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_every_window_is_delivered_after_it_came(seed):
    """Windows come (again), runs fail, others are busy: a window counts only if a run began after it came."""
    chance, waiting, now = random.Random(seed), Backlog(), NOW  # noqa: S311
    open_: dict[tuple[str, datetime], bool] = {}
    for turn in range(400):
        waiting = Backlog.model_validate_json(waiting.model_dump_json())
        busy = [(DAY + n * STEP, DAY + (n + 5) * STEP) for n in chance.sample(range(300), 2)] if turn < 300 else []
        if turn < 300 and chance.random() < 0.5:
            first = chance.randrange(300)
            for sink in ("clean", "plan"):
                came = windows(first, chance.randrange(1, 40))
                waiting.add(sink, came, now)
                open_ |= dict.fromkeys(((sink, window) for window in came), True)
        errand = waiting.next_errand(now, busy)
        if errand:
            waiting.start(errand, now, busy)
            good = turn >= 300 or chance.random() < 0.6
            waiting.settle(good, now)
            if good:
                for sink in errand.sinks:
                    for number in range((errand.last - errand.first) // STEP + 1):
                        open_.pop((sink, errand.first + number * STEP), None)
        now += timedelta(minutes=1 if turn < 300 else 61)
    assert open_ == {}
    assert waiting.waiting() == 0
