"""What a plan saved, found from one life alone, against two lives of a plant that is not the model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.control import Rule
from esus_pipeline.control.model import PARAMETERS, RoomModel
from esus_pipeline.control.savings import evidence, judge, read_known
from esus_pipeline_tests.control.two_lives import DAYS, live_twice

ROOM = "1.213"
TUESDAY = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Archive(tmp_path_factory.mktemp("lives"))


@pytest.fixture(scope="module")
def lives(folder):
    return live_twice(folder)


def known(folder, lives, day):
    """The day, with a model whose parameters are all 20 % off, and known to a third."""
    model = replace(RoomModel.from_site(lives.site, ROOM), version=1)
    ranges = {name: (0.75 * getattr(model, name), 1.33 * getattr(model, name)) for name in PARAMETERS}
    return replace(
        read_known(folder, lives.site, lives.days[day]),
        models={ROOM: model},
        ranges={ROOM: {**ranges, "constant": (-50, 50)}},
    )


@pytest.fixture(scope="module")
def judged(folder, lives):
    return pd.concat([judge(known(folder, lives, day)) for day in range(DAYS)], ignore_index=True)


@pytest.fixture(scope="module")
def tuesday(folder, lives):
    return known(folder, lives, TUESDAY)


def test_the_true_saving_lies_in_the_interval_and_near_the_estimate(judged, lives):
    true = float((lives.cost(lives.rule) - lives.cost(lives.plan)).sum())
    found = evidence(lives.site, judged)
    assert (found.days, found.room_days, found.left_out) == (DAYS, DAYS, {})
    assert found.low < true < found.high
    assert found.saving == pytest.approx(true, rel=0.2)
    assert found.enough
    assert f"saved {found.saving:.2f} DKK" in found.sentence


def test_a_plan_that_is_the_rule_itself_saves_nothing(tuesday):
    told = tuesday.plans.assign(
        shade_position=tuesday.plans["baseline_shade_position"], heating_setpoint=21.0, cooling_setpoint=25.0
    )
    local = told["valid_time"].dt.tz_convert(tuesday.site.zone).dt
    by_day = (local.day_of_week < 5) & (local.hour >= 6) & (local.hour < 16)
    told["heating_setpoint"] = np.where(by_day, 21.0, 18.0)
    advised = replace(tuesday, plans=told, site=advisory(tuesday.site))
    [row] = judge(advised).to_dict("records")
    assert (row["outcome"], row["plan_cost"]) == ("advice", row["baseline_cost"])
    assert (row["saving"], row["saving_low"], row["saving_high"]) == (0, 0, 0)
    assert row["baseline_cost"] > 0


@pytest.mark.parametrize(
    ("change", "outcome", "why"),
    [
        (lambda plans: plans.assign(rule=hours(plans, Rule.MANUAL, 3)), "moved_by_hand", "for 3 quarters"),
        (lambda plans: plans.assign(rule=hours(plans, Rule.STALE_FORECAST, 5)), "safe_plan", "5 .*: stale_forecast"),
        (lambda plans: plans.assign(shade_position=1.0), "not_obeyed", "the shade stood elsewhere"),
        (lambda plans: plans.iloc[:-8], "plan_missing", "5 of 96 quarters"),
    ],
)
def test_a_day_on_which_the_plan_was_not_carried_out_is_not_its_saving(tuesday, change, outcome, why):
    rows = judge(replace(tuesday, plans=change(tuesday.plans)))
    assert list(rows["outcome"]) == [outcome]
    assert rows["reason"].str.contains(why).all()
    found = evidence(tuesday.site, rows)
    assert found.days == 0
    assert np.isnan(found.saving)
    assert found.sentence.startswith("Not enough evidence yet: 0 of at least 10 days count. Left out: 1 room-days ")


def test_a_day_without_readings_names_them_and_has_no_figures(tuesday):
    silent = tuesday.past.rooms[ROOM].copy()
    silent.loc[silent.index[-12:], "radiator_valve"] = np.nan
    rooms = {**tuesday.past.rooms, ROOM: silent}
    [row] = judge(replace(tuesday, past=replace(tuesday.past, rooms=rooms))).to_dict("records")
    assert (row["outcome"], row["reason"]) == (
        "readings_missing",
        "quarters of an hour of 96 without a reading: radiator valve 12",
    )
    assert np.isnan([row[name] for name in ("measured_cost", "plan_cost", "baseline_cost", "saving")]).all()


def test_a_building_that_nothing_steers_is_told_what_the_advice_would_be_worth(judged, lives):
    advice = judged.assign(outcome="advice")
    found = evidence(advisory(lives.site), advice)
    assert found.sentence.startswith("Carried out, the plan would have saved ")
    assert "control.mode is advisory" in found.sentence
    assert evidence(lives.site, advice).days == 0


def test_days_that_could_have_been_chance_are_no_evidence(judged, lives):
    turned = judged.assign(saving=0.0, draws="[-1.0, 1.0]")
    found = evidence(lives.site, turned)
    assert not found.enough
    assert "which may be none" in found.sentence


def test_a_plan_that_costs_more_is_said_to_cost_more(judged, lives):
    dearer = judged.assign(saving=-2.0, draws="[-3.0, -1.5]")
    found = evidence(lives.site, dearer)
    assert found.sentence.startswith(f"The plan cost more by {2 * DAYS:.2f} DKK (15.00 to 30.00, 90 % interval)")


def advisory(site):
    return site.model_copy(update={"control": site.control.model_copy(update={"mode": "advisory"})})


def hours(plans, rule, quarters):
    """The rules of the plans, the last quarters of an hour by another one."""
    return [*plans["rule"].iloc[:-quarters], *[str(rule)] * quarters]
