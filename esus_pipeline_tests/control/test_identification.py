"""Learning a room from its readings: it finds a room that differs from the site file, and says what it cannot know."""

from dataclasses import replace

import numpy as np
import pytest

from esus_pipeline.control.model import RoomModel, TooLittleDataError, estimate, identify, score
from esus_pipeline.control.model.history import History
from esus_pipeline.site import load_site
from esus_pipeline_tests.control.lived import lived

SITE = load_site("tmv23")
PRIOR = RoomModel.from_site(SITE, "1.213")
TRUTH = replace(
    PRIOR,
    c_air=PRIOR.c_air * 0.7,
    c_mass=PRIOR.c_mass * 1.5,
    h_ao=PRIOR.h_ao * 1.4,
    k_open=0.6,
    k_shaded=1.3,
    g_person=110.0,
    k_heat=PRIOR.k_heat * 0.7,
    constant=40.0,
)
DAY = 96


@pytest.fixture(scope="module")
def history() -> History:
    return lived(TRUTH, days=35)


@pytest.fixture(scope="module")
def learned(history):
    return identify(PRIOR, history.part(0, 28 * DAY))


def test_it_predicts_the_following_week_like_the_room_itself(history, learned):
    mine = score(learned.model, history, 28 * DAY)
    assert mine.count[24] > 100
    assert mine.model[24] < 0.15 < mine.persistence[24]
    assert mine.model[24] < 0.3 * score(PRIOR, history, 28 * DAY).model[24]


def test_what_the_readings_tell_is_found_and_its_interval_holds_the_truth(learned):
    for name in ("k_open", "g_person", "k_heat", "c_air"):
        assert getattr(learned.model, name) == pytest.approx(getattr(TRUTH, name), rel=0.25), name
        assert name not in learned.model.unknown
        assert learned.low[name] <= getattr(TRUTH, name) <= learned.high[name]


@pytest.mark.parametrize(("seconds", "least", "most"), [(60.0, 0.0, 480.0), (1500.0, 1250.0, 1750.0)])
def test_how_slowly_a_radiator_follows_its_valve_is_found(seconds, least, most):
    learned = identify(PRIOR, lived(replace(TRUTH, t_radiator=seconds))).model
    assert least < learned.t_radiator < most
    assert learned.k_heat / learned.c_air == pytest.approx(TRUTH.k_heat / TRUTH.c_air, rel=0.2)


def test_a_shade_that_never_moved_leaves_its_effect_unknown_and_near_the_prior():
    still = identify(PRIOR, lived(TRUTH, days=28, shade_moves=False))
    assert "k_shaded" in still.model.unknown
    assert "k_open" not in still.model.unknown
    assert still.model.k_shaded == pytest.approx(PRIOR.k_shaded, rel=0.2)
    assert still.low["k_shaded"] < 0.5 * still.model.k_shaded < 2 * still.model.k_shaded < still.high["k_shaded"]


def test_gaps_and_an_open_window_do_not_spoil_it(history, learned):
    broken = history.part(0, 28 * DAY)
    air, valve, supply_air = broken.air.copy(), broken.valve.copy(), broken.supply_air.copy()
    rng = np.random.default_rng(3)
    for start in rng.integers(0, len(air) - 40, 12):
        air[start : start + 30] = np.nan
    valve[5 * DAY : 6 * DAY] = np.nan
    supply_air[rng.integers(0, len(air), 20)] = np.nan
    air[9 * DAY : 9 * DAY + 32] -= np.linspace(0, 6, 32)
    again = identify(PRIOR, replace(broken, air=air, valve=valve, supply_air=supply_air))
    assert again.starts < learned.starts
    assert score(again.model, history, 28 * DAY).model[24] < 0.25


def test_too_short_a_history_is_refused_with_what_is_missing(history):
    with pytest.raises(TooLittleDataError, match=r"1\.213: \d+ hours can be predicted"):
        identify(PRIOR, history.part(0, 3 * DAY))
    no_shade = replace(history, shade=np.full(len(history), np.nan))
    with pytest.raises(TooLittleDataError, match="shade 100%"):
        identify(PRIOR, no_shade)


def test_a_heat_that_no_input_explains_is_noticed_and_forgotten_slowly(history):
    state = estimate(TRUTH, history)
    assert np.abs(state.disturbance[-DAY:]).mean() < 15
    warmer = estimate(replace(TRUTH, constant=TRUTH.constant - 60), history)
    assert warmer.disturbance[-DAY:].mean() == pytest.approx(60, abs=30)
    silent = replace(history, air=np.where(np.arange(len(history)) < len(history) - DAY, history.air, np.nan))
    ahead = estimate(replace(TRUTH, constant=TRUTH.constant - 60), silent)
    assert 0.2 < ahead.disturbance[-1] / ahead.disturbance[-DAY - 1] < 0.6
    assert ahead.covariance[-1, 0, 0] > 4 * state.covariance[-1, 0, 0]


def test_an_open_window_moves_the_temperature_and_teaches_nothing(history):
    air = history.air.copy()
    air[-8:] -= 4.0
    opened = replace(history, air=air, window_open=np.where(np.arange(len(air)) >= len(air) - 8, 1.0, 0.0))
    state, before = estimate(TRUTH, opened), estimate(TRUTH, history)
    assert state.x[-1, 0] == pytest.approx(air[-1], abs=0.5)
    assert state.disturbance[-1] == pytest.approx(before.disturbance[-9], abs=10)


def test_a_room_whose_windows_are_opened_every_afternoon_is_learned_from_the_hours_before(history):
    hour = np.arange(len(history)) / 4 % 24
    aired = replace(history, window_open=((hour >= 13) & (hour < 17)).astype(float))
    air = aired.air - 2.0 * (aired.window_open > 0)
    again = identify(PRIOR, replace(aired, air=air).part(0, 28 * DAY))
    assert again.model.k_open == pytest.approx(TRUTH.k_open, rel=0.25)
    judged = score(again.model, aired, 28 * DAY)
    assert judged.count[24] == 0 < judged.count[6] < judged.count[1]
    assert np.isnan(judged.model[24])
    assert judged.model[6] < 0.25


def test_errors_weigh_as_they_are_so_noisy_readings_leave_a_parameter_nearer_to_its_prior(learned):
    noisy = identify(PRIOR, lived(TRUTH, days=14, noise=0.6))
    for name in ("k_open", "c_air"):
        distance = [abs(np.log(getattr(each, name) / getattr(PRIOR, name))) for each in (noisy.model, learned.model)]
        assert distance[0] < distance[1], name
    assert noisy.spread_ratio["k_open"] > learned.spread_ratio["k_open"]
