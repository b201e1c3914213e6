"""Occupancy forecasts against the twin's people, whose habits the forecast is not told."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control.model.occupancy import FREE_DAY, Occupancy, day_kinds, forecast, learn
from esus_pipeline.control.model.people import people_present
from esus_pipeline.simulator.people import count_people
from esus_pipeline.site import load_site

SITE = load_site("tmv23")
STAFF = np.array([round(room.occupants) for room in SITE.rooms])
EASTER_MONDAY = pd.Timestamp("2026-04-06", tz="UTC")


def present(start: str, days: int) -> dict[str, "pd.Series[float]"]:
    """People of the twin, means of 15 minutes."""
    begin = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
    minutes = begin + 60 * np.arange(days * 1440, dtype=np.int64)
    counted = count_people(STAFF, 7, minutes, SITE.zone)
    times = pd.date_range(start, periods=days * 96, freq="15min", tz="UTC")
    means = counted.reshape(-1, 15, counted.shape[1]).mean(axis=1)
    return {room: pd.Series(means[:, column], times) for column, room in enumerate(SITE.room_ids)}


@pytest.fixture(scope="module")
def people():
    return present("2026-02-02", 56)


def split(people, at: str, hours: int = 48):
    start = pd.Timestamp(at, tz="UTC")
    times = pd.date_range(start, periods=hours * 4, freq="15min")
    return {room: series[series.index < start] for room, series in people.items()}, times


def expected(past, times, site=SITE) -> dict[str, Occupancy]:
    """The forecast where all of the past is known, the last hours included."""
    return forecast({room: learn(seen, site) for room, seen in past.items()}, past, site, times)


def test_it_beats_the_sites_hours_on_working_days_and_its_band_holds_what_came(people):
    learned, assumed, over, under = [], [], [], []
    for at in ("2026-03-16", "2026-03-18", "2026-03-20", "2026-03-23"):
        past, times = split(people, at)
        guess, calendar = expected(past, times), expected({}, times)
        for room, truth in people.items():
            came = truth.reindex(times).to_numpy()
            learned.append(((guess[room].expected - came) ** 2).mean())
            assumed.append(((calendar[room].expected - came) ** 2).mean())
            busy = guess[room].high > 0
            over.append((came > guess[room].high)[busy].mean())
            under.append((came < guess[room].low)[busy].mean())
            assert (guess[room].low <= guess[room].expected).all()
            assert (guess[room].expected <= guess[room].high).all()
    assert np.mean(learned) < 0.8 * np.mean(assumed)
    assert 0.03 < np.mean(over) < 0.12
    assert 0.01 < np.mean(under) < 0.12


def test_somebody_is_there_about_as_often_as_foretold(people):
    foretold, there = [], []
    for at in ("2026-03-16", "2026-03-18", "2026-03-20", "2026-03-23"):
        past, times = split(people, at)
        for room, guess in expected(past, times).items():
            foretold.append(guess.somebody)
            there.append(np.minimum(people[room].reindex(times).to_numpy(), 1))
    chance, share = np.concatenate(foretold), np.concatenate(there)
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        alike = (chance >= low) & (chance < high)
        assert alike.sum() > 100
        assert low - 0.1 <= share[alike].mean() <= high + 0.1


def habit(day: "pd.Series[float]", days: int = 28) -> "dict[str, pd.Series[float]]":
    """One room on so many days, weekends included, with the same people at each local clock time as in `day`."""
    times = pd.date_range("2026-02-02", periods=96 * days, freq="15min", tz=SITE.zone)
    seen = pd.Series(day.reindex(times.strftime("%H:%M")).to_numpy(), times.tz_convert("UTC"))
    return {"1.213": seen}


CLOCK = pd.date_range("2026-02-02", periods=96, freq="15min").strftime("%H:%M")
WORK = pd.Series(np.where((CLOCK >= "07:45") & (CLOCK < "16:00"), 3.0, 0.0), CLOCK)


def test_people_who_come_at_a_quarter_to_eight_are_expected_then():
    times = pd.date_range("2026-03-02", periods=96, freq="15min", tz=SITE.zone).tz_convert("UTC")
    guess = expected(habit(WORK), times)["1.213"]
    morning = pd.Series(guess.expected, times.tz_convert(SITE.zone).strftime("%H:%M"))
    assert morning["07:15"] == 0
    assert morning["07:30"] < 0.3 * morning["08:00"]
    assert morning["07:45"] > 0.6 * morning["08:00"]
    assert morning["08:15"] == pytest.approx(3, abs=0.1)
    assert guess.until == times[0]


def test_a_usual_lunch_break_is_no_surprise():
    lunch = habit(WORK.where((CLOCK < "12:00") | (CLOCK >= "13:00"), 0.0))
    times = pd.date_range("2026-03-01T13:00", periods=8, freq="15min", tz=SITE.zone).tz_convert("UTC")
    past = {room: seen[seen.index < times[0]] for room, seen in lunch.items()}
    habits = {room: learn(seen, SITE) for room, seen in past.items()}
    usual, bent = forecast(habits, {}, SITE, times)["1.213"], forecast(habits, past, SITE, times)["1.213"]
    assert usual.expected.min() > 1.5
    assert bent.expected == pytest.approx(usual.expected, abs=0.3)


def test_a_holiday_is_no_monday(people):
    past, _ = split(people, "2026-03-29")
    easter = pd.date_range(EASTER_MONDAY, periods=96, freq="15min")
    monday = pd.date_range(EASTER_MONDAY - pd.Timedelta(days=7), periods=96, freq="15min")
    assert set(day_kinds(SITE, easter[16:64])) == {FREE_DAY}
    holiday, usual = expected(past, easter), expected(past, monday)
    assert holiday["1.215"].expected.max() < 0.2 * usual["1.215"].expected.max()
    abroad = SITE.model_copy(update={"place": SITE.place.model_copy(update={"country": None})})
    assert expected(past, easter, abroad)["1.215"].expected.max() == pytest.approx(
        usual["1.215"].expected.max(), rel=0.2
    )


def test_without_readings_the_sites_hours_stand_in_and_say_that_they_are_a_guess():
    times = pd.date_range("2026-03-02T00:00Z", periods=96, freq="15min")
    guess = expected({}, times)["1.213"]
    local = times.tz_convert(SITE.zone)
    working = (local.hour >= 8) & (local.hour < 16)
    assert (guess.expected[working] > 0).all()
    assert (guess.expected[~working] == 0).all()
    assert (guess.days, guess.until) == (0, None)
    assert (guess.low == 0).all()
    assert (guess.high[working] == SITE.room("1.213").occupants).all()
    assert (guess.somebody[working] > 0.9).all()


def test_a_full_room_stays_full_for_a_while(people):
    past, times = split(people, "2026-03-18T10:00")
    crowd = {room: series.where(series.index < series.index[-4], 9.0) for room, series in past.items()}
    now, usual = expected(crowd, times)["1.217"].expected, expected(past, times)["1.217"].expected
    assert now[0] > usual[0] + 2
    assert now[60] == pytest.approx(usual[60], abs=0.1)


def test_co2_and_presence_count_people_where_nobody_is_counted():
    room = SITE.room("1.213")
    volume, flow = room.area * room.height, 0.3 * room.ventilation_flow + 0.15 * room.area * room.height
    people = np.repeat([0, 0, 3, 3, 0, 0], 48)
    co2, level = np.empty(len(people)), 421.0
    for step, count in enumerate(people):
        for _ in range(15):
            level += (count * 20e-3 * 1e6 - flow * (level - 421)) / volume / 60
        co2[step] = level
    frame = pd.DataFrame({"co2": co2, "occupancy": (people > 0).astype(float), "damper_position": 30.0})
    counted = people_present(room, frame)
    assert np.abs(counted[people == 3][4:] - 3).mean() < 0.4
    assert (counted[people == 0] == 0).all()
    only_presence = people_present(room, frame[["occupancy"]])
    assert only_presence[people == 3] == pytest.approx(0.6 * room.occupants)
    assert np.isnan(people_present(room, frame[[]])).all()


@pytest.mark.parametrize("length", range(5))
def test_people_are_counted_from_however_few_quarters_there_are(length):
    frame = pd.DataFrame({"co2": np.full(length, 600.0), "occupancy": 1.0, "damper_position": 30.0})
    counted = people_present(SITE.room("1.213"), frame)
    assert len(counted) == length
    assert (counted > 0).all()
