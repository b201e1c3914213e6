"""The nightly lesson: what is taken, what is kept and why, and that the table gives the same model back."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control.model import RoomModel, identify
from esus_pipeline.control.model.room_model import PARAMETERS
from esus_pipeline.control.model.training import from_frame, lesson, to_frame
from esus_pipeline.site import load_site
from esus_pipeline_tests.control.lived import START, lived

SITE = load_site("tmv23")
PRIOR = RoomModel.from_site(SITE, "1.213")
TRUTH = replace(PRIOR, c_mass=PRIOR.c_mass * 1.5, k_open=0.6, g_person=110.0, k_heat=PRIOR.k_heat * 0.7)
NIGHT = pd.Timestamp(START) + pd.Timedelta(days=28)


@pytest.fixture(scope="module")
def history():
    return lived(TRUTH, days=28)


@pytest.fixture(scope="module")
def first(history):
    return lesson(PRIOR, None, history)


def test_the_first_good_model_takes_the_priors_place(first, history):
    assert first.taken
    assert first.model.version == 1
    assert first.model.trained_to == START + pd.Timedelta(days=28)
    assert first.model.rmse[24] == first.score.model[24] < 0.2 < first.score.persistence[24]
    assert "24 h error" in first.verdict


@pytest.fixture(scope="module")
def muddled(history):
    """The first three weeks teach nonsense; the last one is the room's own."""
    air = history.air.copy()
    rng = np.random.default_rng(5)
    air[: 21 * 96] = 21 + 2 * rng.standard_normal(21).repeat(96)
    return replace(history, air=air)


def test_a_model_that_predicts_worse_than_the_one_in_force_is_not_taken(first, muddled):
    second = lesson(PRIOR, first.model, muddled)
    assert not second.taken
    assert second.model == first.model
    assert second.verdict.startswith("kept: 24 h error")
    assert second.candidate.model[24] > second.score.model[24]


def test_a_kept_model_keeps_the_errors_of_the_days_that_it_was_not_taught(first, muddled):
    second = lesson(PRIOR, first.model, muddled)
    assert second.score.model[24] != first.model.rmse[24]
    assert from_frame(to_frame({"1.213": second}, NIGHT), SITE)["1.213"] == first.model
    silent = lesson(PRIOR, first.model, None)
    assert from_frame(to_frame({"1.213": silent}, NIGHT), SITE)["1.213"] == first.model


@pytest.mark.parametrize(("taught", "anew"), [(21, True), (22, False)])
def test_a_kept_model_is_judged_anew_on_days_of_which_it_was_taught_none(first, muddled, taught, anew):
    former = replace(first.model, trained_to=START + pd.Timedelta(days=taught), rmse={1: 0.5, 6: 0.6, 24: 0.7})
    night = lesson(PRIOR, former, muddled)
    assert not night.taken
    assert night.model.rmse == (night.score.model if anew else former.rmse)
    assert from_frame(to_frame({"1.213": night}, NIGHT), SITE)["1.213"] == night.model


def test_the_row_of_a_prior_holds_how_well_it_predicted(first):
    untaught = replace(first, model=PRIOR, taken=False)
    row = to_frame({"1.213": untaught}, NIGHT).iloc[0]
    assert (row["version"], row["rmse_24h"]) == (0, first.score.model[24])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda history: None, "no readings are stored"),
        (lambda history: history.part(0, 5 * 96), "hours can be predicted"),
        (lambda history: replace(history, air=np.full(len(history), np.nan)), "hours can be predicted"),
    ],
)
def test_a_night_without_enough_readings_changes_nothing_and_says_so(first, history, change, why):
    night = lesson(PRIOR, first.model, change(history))
    assert (night.taken, night.model) == (False, first.model)
    assert why in night.verdict


def test_the_table_holds_the_model_and_gives_it_back(first, history):
    second = replace(first, model=replace(first.model, version=2, k_open=0.7))
    rows = pd.concat([to_frame({"1.213": first}, NIGHT), to_frame({"1.213": second}, NIGHT + pd.Timedelta(days=1))])
    assert from_frame(rows.iloc[:1], SITE)["1.213"] == first.model
    assert from_frame(rows, SITE)["1.213"].k_open == pytest.approx(0.7)
    ranges = json.loads(rows["ranges"].iloc[0])
    assert set(ranges) == set(PARAMETERS)
    assert ranges["k_open"][0] < first.model.k_open < ranges["k_open"][1]
    broken = rows.assign(c_air=[first.model.c_air, np.nan])
    assert from_frame(broken, SITE)["1.213"] == first.model
    untaught = to_frame({"1.213": lesson(PRIOR, None, None)}, NIGHT)
    assert from_frame(untaught, SITE) == {}


def test_one_seed_gives_one_model(history):
    once, again = (identify(PRIOR, history.part(0, 10 * 96)) for _ in range(2))
    assert once.model == again.model
    assert once.low == again.low


def test_a_room_with_windows_open_every_day_is_judged_on_the_hours_that_are_left(history):
    hour = np.arange(len(history)) / 4 % 24
    aired = replace(history, window_open=((hour >= 13) & (hour < 17)).astype(float))
    taught = lesson(PRIOR, None, aired)
    assert taught.taken
    assert "6 h error" in taught.verdict
    assert set(taught.model.rmse) == {1, 6}
