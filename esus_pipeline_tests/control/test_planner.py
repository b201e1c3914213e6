"""What is kept from one plan to the next: the optimum of the hour, and what it was made with."""

from dataclasses import replace

import numpy as np
import pandas as pd

from esus_pipeline.control import Optimum, PlanInputs, Planner, decide
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
    plan = Planner(stored, people=nobody).plan(later(1)).schedule
    pd.testing.assert_frame_equal(plan, planner.plan(later(1)).schedule)
    assert not planner.renewed
    by_calendar = decide(later(1), planner.optimum).schedule
    assert (by_calendar["predicted_temperature"] > plan["predicted_temperature"] + 0.1).any()


COLD = cases.inputs(TMV23, at("2026-01-13T04:00"), sky=0.1, mean=-2, temperature=18.5)


def coming(quarters: dict[str, float]) -> PlanInputs:
    """COLD where so many people are expected in every room at these quarters of the local morning."""
    times = pd.date_range(COLD.as_of, periods=192, freq=STEP)
    local = times.tz_convert(TMV23.zone)
    count = [quarters.get(f"{time:%H:%M}", 0.0) if time.date() == local[0].date() else 0.0 for time in local]
    return replace(COLD, people=pd.DataFrame(dict.fromkeys(TMV23.room_ids, count), index=times))


def heated_to(planner: Planner, inputs: PlanInputs, clock: str) -> float:
    """Heating setpoint of one room at a quarter of the local morning, degC."""
    rows = planner.plan(inputs).schedule.query("room == '1.213'").set_index("valid_time").tz_convert(TMV23.zone)
    return rows.at_time(clock)["heating_setpoint"].iloc[0]


def test_preheating_counts_on_people_in_the_quarter_in_which_they_come():
    spread = dict.fromkeys(("07:00", "07:15", "07:30", "07:45"), 2.0)
    for quarters, warm in (({"07:45": 8.0}, False), (spread, True), ({"07:00": 8.0}, True)):  # as many in the hour
        planner = Planner()
        for later_by in (0, 2):
            inputs = coming(quarters) if later_by == 0 else later(later_by, COLD)
            assert bool(heated_to(planner, inputs, "07:30") > 18) is warm
