"""What is kept from one plan to the next: the optimum of the hour, and what it was made with."""

from dataclasses import replace

import numpy as np
import pandas as pd

from esus_pipeline.control import Optimum, PlanInputs, Planner, decide
from esus_pipeline.control.optimiser.quarters import within_the_hour
from esus_pipeline.frames import STEP
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

TMV23 = load_site("tmv23")
HOT = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=21, temperature=24)
SOUTH = ["1.213", "1.215", "1.217"]


def later(quarters: int, inputs: PlanInputs = HOT) -> PlanInputs:
    return replace(inputs, as_of=inputs.as_of + quarters * STEP)


def test_rooms_without_a_reading_on_the_hour_are_planned_as_soon_as_there_is_one():
    silent = replace(HOT, rooms=cases.rooms(TMV23, np.nan))
    planner, renewed = Planner(), []
    for inputs in (silent, later(1, silent), later(2), later(3)):
        planner.plan(inputs)
        renewed.append(planner.renewed)
    assert renewed == [True, False, True, False]
    assert planner.optimum.issued_at == later(2).as_of
    assert planner.optimum.why == {}


def test_a_group_whose_sensors_are_dead_costs_the_others_no_new_optimum():
    dead = HOT.rooms.assign(air_temperature=HOT.rooms["air_temperature"].mask(HOT.rooms["room"].isin(SOUTH)))
    planner = Planner()
    for quarter in range(3):
        planner.plan(later(quarter, replace(HOT, rooms=dead)))
        assert planner.renewed is (quarter == 0)
    assert set(planner.optimum.why) == set(SOUTH)


def test_the_people_foretold_on_the_hour_count_in_the_quarters_after_it():
    times = pd.date_range(HOT.as_of, periods=192, freq=STEP)
    nobody = pd.DataFrame(0.0, index=times, columns=list(TMV23.room_ids))
    planner = Planner()
    planner.plan(replace(HOT, people=nobody))
    stored = Optimum.from_frame(planner.optimum.to_frame(TMV23.room_ids), TMV23.room_ids)
    plan = Planner(stored).plan(later(1)).schedule
    pd.testing.assert_frame_equal(plan, planner.plan(later(1)).schedule)
    assert not planner.renewed
    by_calendar = decide(later(1), replace(stored, people=np.full_like(stored.people, np.nan))).schedule
    assert (by_calendar["predicted_temperature"] > plan["predicted_temperature"] + 0.1).any()


def test_people_of_an_hour_come_and_go_within_it_and_stay_as_many():
    hourly = np.array([[0.0, 2.0, 6.0, 6.0, 0.0, np.nan]])
    quarters = within_the_hour(hourly, np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6))[0].reshape(6, 4)
    np.testing.assert_allclose(quarters[1:4].mean(axis=1), hourly[0, 1:4])
    assert (np.diff(quarters[1]) > 0).all()
    assert (np.diff(quarters[3]) < 0).all()
    assert (quarters[:5] >= 0).all()
    assert np.isnan(quarters[5]).all()
