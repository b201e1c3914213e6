"""Every kind of sentence about setpoints, for the rows that it is true of."""

from dataclasses import replace

import numpy as np
import pytest

from esus_pipeline.control import make_plan
from esus_pipeline.control.inputs import read_horizon
from esus_pipeline.control.measured import NOW
from esus_pipeline.control.optimiser.follow import Commands, follow_setpoints
from esus_pipeline.control.setpoint_words import explain_setpoints
from esus_pipeline.control.setpoints import make_setpoints
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

TMV23 = load_site("tmv23")
WINTER = cases.inputs(TMV23, at("2026-01-15T04:00"), mean=0)
SIX_THIRTY, EIGHT, NOON, FOUR = 6, 12, 28, 44
"""Steps of the plan from 05:00 local time."""


@pytest.fixture(scope="module")
def horizon():
    return read_horizon(WINTER)


def told(horizon, first=0, last=0, heating=0.0, cooling=None, followed=(), warmed=(), why=None):
    """Sentences of the first room by the calendar, with other setpoints in steps first .. last - 1."""
    setpoints = make_setpoints(horizon)
    calendar = follow_setpoints(horizon, setpoints, None, None)
    commands = Commands(calendar.heating.copy(), calendar.cooling.copy())
    if last:
        commands.heating[0, first:last] = heating
        commands.cooling[0, first:last] = commands.cooling[0, first:last] if cooling is None else cooling
    return explain_setpoints(horizon, setpoints, commands, followed, warmed, why or {})[0]


def test_a_plan_says_of_every_row_why_it_is_set_back_heated_or_held():
    plan = make_plan(WINTER)
    reasons = plan[plan["room"] == TMV23.room_ids[0]]["setpoint_reason"].tolist()
    assert plan["setpoint_reason"].str.len().gt(0).all()
    assert reasons[0] == "set back to 17.0 .. 29.0 degC: nobody is expected until 08:00"
    assert reasons[SIX_THIRTY] == "heated from 06:30, to 20.0 degC by 08:00; calendar's ramp"
    assert reasons[EIGHT] == "comfort band 20.0 .. 26.0 degC: people are expected until 16:00"
    assert reasons[FOUR] == "set back to 17.0 .. 29.0 degC: nobody is expected until Fri 08:00"
    assert reasons[-1] == "set back to 17.0 .. 29.0 degC: nobody is expected at least until 17:00"


def test_a_room_that_its_hot_radiators_warm_on_is_said_to_be_heated_no_more(horizon):
    coasting = "not heated any more: what the radiators hold warms the room until 08:00"
    sentences = told(horizon, last=EIGHT, heating=17.0, warmed=[0])
    assert set(sentences[:EIGHT]) == {coasting}
    assert sentences[EIGHT].startswith("comfort band")
    assert coasting not in told(horizon, last=EIGHT, heating=17.0)
    again = told(horizon, first=2, last=EIGHT, heating=20.0, warmed=[0], followed=[0])
    assert again[1] == coasting
    assert again[2].startswith("heated from 05:30, to 20.0 degC by 08:00")


def test_the_band_is_told_with_the_margin_of_the_setpoints():
    site = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"setpoint_margin": 0.2})})
    plan = make_plan(cases.inputs(site, at("2026-01-15T04:00"), mean=0))
    assert plan["setpoint_reason"].iloc[EIGHT].startswith("comfort band 20.2 .. 25.8 degC")


def test_a_site_may_cool_from_long_before_work_and_says_so():
    site = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"precool_minutes": 120})})
    july = cases.inputs(site, at("2026-07-15T03:00"), mean=22)
    plan = make_plan(july)
    own = plan[plan["room"] == TMV23.room_ids[0]].reset_index()
    assert own["cooling_setpoint"][:5].tolist() == [29, 29, 29, 29, 26]
    assert own["cooling_setpoint"][4:44].eq(26).all()
    assert own["setpoint_reason"][4] == "cooled only above 26.0 degC by 06:30; control.precool_minutes, 120 before work"
    assert own["cooling_setpoint"][44] == 29


def test_a_ramp_is_not_taken_for_the_site_s_early_cooling(horizon):
    control = TMV23.control.model_copy(update={"precool_minutes": 30})
    site = replace(horizon, site=TMV23.model_copy(update={"control": control}))
    reasons = told(site, SIX_THIRTY, EIGHT, heating=17.0, cooling=[28.5, 28.0, 27.5, 27.0, 26.0, 26.0])
    assert reasons[SIX_THIRTY] == "cooled only above 26.0 degC by 08:00; calendar's ramp"


def test_a_room_without_an_optimum_says_why_the_calendars_ramp_heats_it(horizon):
    reasons = told(horizon, why={TMV23.room_ids[0]: "its model is too young"})
    assert reasons[SIX_THIRTY].endswith("; calendar's ramp, because its model is too young")


def test_a_room_with_a_model_is_heated_as_late_as_that_allows(horizon):
    assert told(horizon, followed=[0])[SIX_THIRTY].endswith("by 08:00; as late as the room's model allows")


def test_heating_ahead_of_time_says_how_warm(horizon):
    reasons = told(horizon, NOON, NOON + 4, heating=21.5)
    assert reasons[NOON] == "heated ahead of time, up to 21.5 degC, by at most 1 K an hour"
    assert reasons[NOON - 1].startswith("comfort band")


def test_heating_that_is_eased_back_after_work_is_no_preheating(horizon):
    reasons = told(horizon, FOUR, FOUR + 4, heating=[20.0, 19.5, 19.0, 18.5])
    assert reasons[FOUR] == "eased back from 20.0 degC since people left"


def test_cooling_alone_is_no_setback(horizon):
    reasons = told(horizon, SIX_THIRTY, EIGHT, heating=17.0, cooling=26.0)
    assert reasons[SIX_THIRTY] == "cooled only above 26.0 degC by 08:00; calendar's ramp"


def test_an_open_window_says_so_for_as_long_as_it_closes_the_valves():
    inputs = cases.inputs(TMV23, at("2026-01-15T10:00"), mean=0)
    inputs.rooms["window_open"] = 1.0
    plan = make_plan(inputs)
    assert plan["setpoint_reason"].iloc[0] == "a window is open: no heating or cooling within 17.0 .. 29.0 degC"
    assert plan["setpoint_reason"].iloc[NOW].startswith("comfort band")
    assert np.isclose(plan["heating_setpoint"].iloc[0], 17.0)
