"""Window contacts against the temperature of their room: rooms of the twin, aired in every season, with honest and
with stuck contacts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline import checks
from esus_pipeline.checks.contacts import CONTACT, OCCASIONS, contacts_of, outdoor_temperature
from esus_pipeline.checks.plot import verdict_plot
from esus_pipeline.frames import BUILDING, RAW_BMS_READINGS
from esus_pipeline.readings import clean, room_table
from esus_pipeline.simulator import week
from esus_pipeline.simulator.noise import HOUR, uniform
from esus_pipeline.simulator.twin import Twin
from esus_pipeline.site import load_site
from esus_pipeline_tests.score.worlds import _readings, with_points

SITE = load_site("tmv23")
SEED = 12
JANUARY, APRIL = (datetime(2026, *day, tzinfo=UTC) for day in ((1, 12), (4, 13)))
"""Mondays, with which the twin's weeks begin."""
Lived = tuple[pd.DataFrame, pd.DataFrame, pd.Series, datetime]


def lived(start: datetime) -> Lived:
    """A week of the twin's rooms: room table, contact readings, outdoor temperature, and when it ended."""
    points = [p for p in SITE.points if p.quantity in ("air_temperature", CONTACT)]
    site, end = with_points(SITE, tuple(points)), start + timedelta(days=7)
    twin = Twin(site, SEED)
    series = clean(site, RAW_BMS_READINGS.conform(_readings(twin, site, start, end)), None, end)
    rooms = room_table(site, series, start, end)
    times = pd.DatetimeIndex(rooms["timestamp"].unique())
    outdoor = twin._weather.at(times.as_unit("s").asi8)["temp_air"]
    return rooms, series[series["quantity"] == CONTACT], pd.Series(outdoor.to_numpy(), times), end


@pytest.fixture(scope="module")
def honest() -> Lived:
    return lived(JANUARY)


@pytest.fixture(scope="module")
def aired() -> Lived:
    """April with people who air their rooms whatever the weather is."""
    usual = week._window_mood

    def hardy(building, seed, time_s, outdoor):
        room = np.arange(len(building.rooms)) * 1_000_000_000
        return 21.3 + 2.5 * uniform(seed, "window", time_s[:, None] // HOUR + room)

    week._window_mood = hardy
    try:
        return lived(APRIL)
    finally:
        week._window_mood = usual


def judged(rooms: pd.DataFrame, said: pd.DataFrame, outdoor: pd.Series, end: datetime, site=SITE) -> checks.Verdict:
    return checks.window_contacts(site, rooms, said, outdoor, end)


def stuck(case: Lived, value: float) -> Lived:
    rooms, said, outdoor, end = case
    return rooms.assign(**{CONTACT: value}), said.assign(value=value), outdoor, end


def test_honest_contacts_are_never_contradicted(honest, aired):
    for case in (honest, aired):
        verdict = judged(*case)
        assert verdict.passed, verdict.worst
        assert verdict_plot(SITE, verdict) == ""
        assert verdict.numbers["contacts_with_a_state"] == 6
    assert (aired[0][CONTACT] > 0).any()


def test_a_contact_that_says_closed_while_the_room_is_aired_is_found(aired):
    verdict = judged(*stuck(aired, 0.0))
    assert not verdict.passed
    assert verdict.numbers["contradicted"] >= 4
    assert "never said open; the room cooled like an open window" in str(verdict.worst[0]["note"])
    assert len(verdict.windows) <= 24 * 7
    assert verdict_plot(SITE, verdict).count('class="failed"') >= OCCASIONS
    rooms, said, outdoor, end = stuck(aired, 0.0)
    moment = said.groupby("point_id").head(1).assign(value=1.0)  # it has been seen open for an instant: it works
    assert judged(rooms, pd.concat([said, moment]), outdoor, end).passed


def test_a_contact_that_says_open_while_the_room_stays_warm_is_found_and_a_dead_one_is_only_named(honest):
    case = stuck(honest, 1.0)
    verdict = judged(*case)
    assert verdict.numbers["contradicted"] >= 1
    assert "has said open for 12 h and more; the room stayed above" in str(verdict.worst[0]["note"])
    known = {"known_dead": [{"points": [p.id for p in contacts_of(SITE)], "reason": "to be replaced"}]}
    dead = SITE.model_copy(update={"alerts": type(SITE.alerts).model_validate(known)})
    silenced = judged(*case, site=dead)
    assert silenced.passed
    assert silenced.worst[0]["silenced"] == "known dead: to be replaced"
    rooms, said, outdoor, end = case
    assert judged(rooms, said, outdoor + 15, end).passed  # in mild weather an open window changes nothing to be seen


def test_the_buildings_own_outdoor_sensor_comes_before_the_newest_forecast():
    times = pd.date_range("2026-01-01", periods=3, freq="15min", tz="UTC")
    issues = [(times[0], t, k) for k, t in enumerate(times)] + [(times[1], times[2], 9.0)]
    forecasts = pd.DataFrame(issues, columns=["issued_at", "valid_time", "temp_air"])
    rooms = pd.DataFrame({"room": BUILDING, "timestamp": times, "outdoor_temperature": [np.nan, 5.0, np.nan]})
    assert outdoor_temperature(rooms, forecasts).tolist() == [0.0, 5.0, 9.0]
    assert outdoor_temperature(rooms.drop(columns="outdoor_temperature"), forecasts).tolist() == [0.0, 1.0, 9.0]


def test_a_building_without_contacts_or_without_readings_passes(honest):
    bare = with_points(SITE, tuple(p for p in SITE.points if p.quantity != CONTACT))
    rooms, said, outdoor, end = honest
    without = rooms.drop(columns=CONTACT)
    assert judged(without, said[:0], outdoor, end, site=bare).passed
    assert judged(rooms[:0], said[:0], outdoor[:0], end).passed
