"""What the optimiser wants, told by scenes that a facility engineer would check, and its program against its bounds."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control import (
    Optimum,
    Override,
    PlanInputs,
    Rule,
    ShadeState,
    decide,
    make_plan,
    optimise,
    overrides,
)
from esus_pipeline.control.groups import shade_groups
from esus_pipeline.control.inputs import OUTLOOK, read_horizon
from esus_pipeline.control.model import RoomModel
from esus_pipeline.control.optimiser import ProblemError, assemble, lower_bound, plan_group
from esus_pipeline.control.optimiser.optimum import HOURS
from esus_pipeline.control.optimiser.outlook import light_limit, outlook
from esus_pipeline.control.optimiser.unshaded import Unshaded, within_reason
from esus_pipeline.control.trace import trace_frame
from esus_pipeline.frames import OPTIMAL_PLAN, STEP
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

LOADED = load_site("tmv23")
PATIENT = LOADED.control.model_copy(update={"time_limit": 60.0})
"""Plans of these tests do not depend on how fast the machine is."""
TMV23 = LOADED.model_copy(update={"control": PATIENT})
SOUTH, EAST = "1.213", "1.229"
HOT = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=21, temperature=24)
COLD = cases.inputs(TMV23, at("2026-01-15T05:00"), mean=-2, temperature=19)


def rows(inputs: PlanInputs, room: str, optimum: Optimum | None = None) -> pd.DataFrame:
    plan = decide(inputs, optimum or optimise(inputs)).schedule
    own = plan[plan["room"] == room]
    return own.set_index(own["valid_time"].dt.tz_convert(TMV23.zone))


def test_a_hot_sunny_day_lowers_the_south_shades_before_the_sun_reaches_the_facade_and_says_why():
    sun = HOT.gains[(HOT.gains["room"] == SOUTH) & (HOT.gains["poa_global"] > 120)]["valid_time"]
    arrival = sun[sun >= HOT.as_of].min()
    plan = rows(HOT, SOUTH)
    first = plan["shade_position"].idxmax()
    assert first < arrival
    assert plan.loc[arrival, "shade_position"] == 1
    assert plan.loc[first, "rule"] == Rule.SHADE_FOR_COMFORT
    assert plan.loc[first, "reason"].startswith(
        "lowered at 06:00: nobody is expected, and the sun reaches the south facade at 08:45; "
    )
    for words in ("kWh by", "would lift 1.213 to", "limit 26.0", "h of view"):
        assert words in plan.loc[first, "reason"]


def test_a_room_that_only_comes_near_its_limit_is_not_said_to_pass_it():
    warm = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=16, temperature=22.5)
    optimum = optimise(warm)
    near = replace(optimum, closed=np.ones_like(optimum.closed), open_air=np.full_like(optimum.open_air, 25.8))
    reason = rows(warm, SOUTH, near)["reason"].loc["2026-06-16 10:00"]
    assert "to 25.8 degC, limit 26.0 less 0.8 for errors" in reason or "at 25.8 degC already, limit 26.0 less" in reason


def test_a_cold_sunny_morning_leaves_the_shades_open_and_heats_less_than_with_closed_ones():
    plan = rows(COLD, SOUTH)
    morning = plan.loc["2026-01-15 09:30":"2026-01-15 10:45"]
    assert morning["shade_position"].eq(0).all()
    assert morning["rule"].eq(Rule.OPEN_FOR_GAIN).all()
    assert morning["baseline_shade_position"].eq(1).any()


def test_no_sentence_says_that_it_is_minus_zero_outside():
    frost = replace(COLD, forecast=COLD.forecast.assign(temp_air=-0.2))
    for plan in (rows(frost, SOUTH), make_plan(frost)):
        sentences = plan.loc[plan["rule"] == Rule.OPEN_FOR_GAIN, "reason"]
        assert sentences.str.endswith("; 0 degC outside").any()
        assert not sentences.str.contains("-0 degC").any()


def test_room_temperatures_stay_in_their_band_where_the_tuned_rule_would_keep_them_too():
    mild = cases.inputs(TMV23, at("2026-04-15T04:00"), mean=10, temperature=21)
    work = rows(mild, SOUTH).between_time("08:00", "15:45")["predicted_temperature"]
    assert work.between(20 - 0.1, 26 + 0.1).all()


def test_light_of_the_sky_may_be_kept_out_with_nobody_there_and_never_while_people_work():
    light, work = np.array([20.0, 100.0, 100.0, 130.0]), np.array([False, False, True, True])
    assert (light > light_limit(work)).tolist() == [False, True, False, True]


def seen(inputs: PlanInputs, room: str, share: float) -> PlanInputs:
    """Somebody was seen in the room in that share of the last 15 minutes."""
    table = inputs.rooms.assign(occupancy=np.where(inputs.rooms["room"] == room, share, 0.0))
    return replace(inputs, rooms=table)


def people(inputs: PlanInputs, room: str, count: float) -> pd.DataFrame:
    """So many people are expected in one room from now on, nobody elsewhere."""
    times = pd.date_range(inputs.as_of, periods=OUTLOOK, freq=STEP)
    return pd.DataFrame({each: count if each == room else 0.0 for each in TMV23.room_ids}, index=times)


BRIGHT_EVENING = cases.inputs(TMV23, at("2026-06-16T14:00"), mean=24, temperature=26)
"""16:00 of a hot day, when work ends; on the east facade only the sky is bright."""


def test_a_shade_is_not_lowered_for_a_bright_sky_on_people_who_stay_after_work():
    [task] = outlook(BRIGHT_EVENING, [[TMV23.room_ids.index(EAST)]])
    assert task.problem.may_close[:3].all()
    stay = seen(BRIGHT_EVENING, EAST, 1.0)
    [task] = outlook(stay, [[TMV23.room_ids.index(EAST)]])
    assert not task.problem.may_close[0]
    assert task.problem.viewed[0]
    expected = replace(BRIGHT_EVENING, people=people(BRIGHT_EVENING, EAST, 3.0))
    [task] = outlook(expected, [[TMV23.room_ids.index(EAST)]])
    assert not task.problem.may_close[:3].any()
    assert task.problem.viewed[:3].all()
    assert rows(BRIGHT_EVENING, EAST)["shade_position"].iloc[:8].eq(1).any()
    assert rows(stay, EAST)["shade_position"].iloc[:2].eq(0).all()
    assert rows(expected, EAST)["shade_position"].iloc[:8].eq(0).all()


def test_a_shade_that_is_down_is_not_raised_for_somebody_who_looks_in_after_work():
    down = {room: ShadeState(1.0, at("2026-06-16T12:00"), moves_today=1) for room in TMV23.room_ids}
    visited = replace(seen(BRIGHT_EVENING, EAST, 1.0), shades=down)
    [task] = outlook(visited, [[TMV23.room_ids.index(EAST)]])
    assert task.problem.may_close[0]


def test_a_lowered_shade_for_the_sky_waits_for_the_end_of_work():
    plan = rows(replace(BRIGHT_EVENING, as_of=at("2026-06-16T13:00")), EAST)
    assert plan.loc["2026-06-16 15:00":"2026-06-16 15:45", "shade_position"].eq(0).all()
    evening = plan.loc["2026-06-16 16:00":"2026-06-16 20:00"]
    [first, *_] = evening.index[evening["shade_position"] == 1]
    assert first.strftime("%H:%M") == "16:00"
    assert plan.loc[first, "reason"].startswith("lowered at 16:00: nobody is expected, and the sky sends up to")


def test_a_public_holiday_is_no_working_day():
    christmas = cases.inputs(TMV23, at("2026-12-25T05:00"), mean=-2, temperature=19)  # a Friday
    assert rows(christmas, SOUTH).between_time("07:00", "16:00")["heating_setpoint"].iloc[:20].eq(17).all()
    before = replace(christmas, as_of=at("2026-12-17T05:00"))
    assert rows(before, SOUTH).between_time("09:00", "15:00")["heating_setpoint"].iloc[:20].eq(20).all()


def test_a_shade_is_planned_to_be_lowered_twice_a_day():
    plan = optimise(HOT)
    lowered = np.diff(plan.closed, axis=1, prepend=0) > 0
    assert lowered.any()
    assert (lowered.sum(axis=1) <= 6).all()
    today = (HOT.as_of + timedelta(days=1)).replace(hour=0) - HOT.as_of
    moved = {room: ShadeState(0.0, HOT.as_of - timedelta(hours=3), moves_today=4) for room in TMV23.room_ids}
    again = optimise(replace(HOT, shades=moved))
    assert not again.closed[:, : int(today / timedelta(hours=1)) - 2].any()


def test_a_shade_that_is_wanted_in_the_morning_stays_down_for_the_night_and_says_so():
    [task, *_] = outlook(replace(HOT, as_of=at("2026-06-16T14:00")), [[TMV23.room_ids.index(EAST)]])
    night = slice(6, 12)
    assert task.problem.may_close[night].all()
    assert task.problem.gain_open[0, night].max() < task.problem.gain_open.max() / 5
    evening = replace(HOT, as_of=at("2026-06-16T20:30"))
    down = {room: ShadeState(1.0, at("2026-06-16T14:00"), moves_today=1) for room in TMV23.room_ids}
    plan = rows(replace(evening, shades=down), EAST)
    assert plan.loc[:"2026-06-17 07:30", "shade_position"].eq(1).all()
    assert (
        plan["reason"]
        .iloc[0]
        .startswith("lowered since 16:00: nobody is expected, and it is dark; the light comes back at Wed 04:")
    )


def test_a_shade_is_not_raised_shortly_before_people_would_be_dazzled():
    site = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"glare_above": 300.0})})
    mild = cases.inputs(site, at("2026-04-15T07:00"), mean=10, temperature=22)
    down = {room: ShadeState(1.0, mild.as_of - timedelta(hours=3), moves_today=1) for room in site.room_ids}
    [task, *_] = outlook(replace(mild, shades=down), shade_groups(site))
    dear = replace(task.problem, prices=replace(task.problem.prices, view=5.0))
    raised = np.flatnonzero(~plan_group(dear).closed)[0]
    dazzled = dear.dazzled > 0.5
    assert dazzled[:6].any()
    assert not dazzled[raised : raised + dear.dwell].any()
    glare = np.isin(np.arange(dear.steps), [1, 2])
    morning = replace(dear, dazzled=glare.astype(float), viewed=~glare)
    assert plan_group(morning).closed[:3].all()
    at_once = replace(dear, dazzled=(np.arange(dear.steps) < 2).astype(float), viewed=np.arange(dear.steps) >= 2)
    assert plan_group(at_once).closed[:2].all()
    assert not plan_group(replace(at_once, prices=replace(at_once.prices, sun=1.0))).closed[0]
    calm = replace(dear, dazzled=np.zeros(dear.steps), viewed=np.ones(dear.steps, dtype=bool))
    assert not plan_group(calm).closed[0]


def test_a_hot_room_is_shaded_before_the_glare_that_would_shade_it_a_quarter_of_an_hour_later(monkeypatch):
    [task, *_] = outlook(HOT, shade_groups(TMV23))
    glare = np.isin(np.arange(task.problem.steps), [3, 4, 5])
    gains = np.where(glare, task.problem.gain_open, task.problem.gain_shaded)
    sudden = replace(task.problem, dazzled=glare.astype(float), viewed=~glare, gain_open=gains)
    assert plan_group(sudden).closed[3]
    monkeypatch.setattr(assemble, "UNSEEN", 0.0)
    assert not plan_group(sudden).closed[:6].any()


def test_setpoints_keep_a_margin_to_the_comfort_band_for_thermostats_that_do_not_hold_it():
    loose = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"setpoint_margin": 0.2})})
    early = replace(COLD, site=loose, as_of=at("2026-01-15T03:00"))
    plan = rows(early, SOUTH)
    at_work = plan.loc["2026-01-15 08:00":"2026-01-15 15:45"]
    assert at_work["heating_setpoint"].eq(20.2).all()
    assert at_work["cooling_setpoint"].eq(25.8).all()
    assert at_work["predicted_temperature"].between(20.19, 25.8).all()
    assert plan["heating_setpoint"].between(17, 20.2).all()


def test_a_room_is_heated_before_work_as_late_as_it_can_be_and_no_later():
    early = replace(COLD, as_of=at("2026-01-15T03:00"))
    weak = TMV23.model_copy(
        update={"rooms": tuple(r.model_copy(update={"heating_power": r.heating_power / 2}) for r in TMV23.rooms)}
    )
    begins = []
    for site in (TMV23, weak):
        plan = rows(replace(early, site=site), SOUTH).loc[:"2026-01-15 08:00"]
        begins.append(plan["heating_setpoint"].eq(20).idxmax())
        assert plan["heating_setpoint"].between(17, 20).all()
        assert plan["heating_setpoint"].is_monotonic_increasing
        assert 20 <= plan["predicted_temperature"].iloc[-1] < 20.5
    assert begins[1] < begins[0] < pd.Timestamp("2026-01-15 08:00", tz=TMV23.zone)


def test_a_room_whose_radiators_warm_up_slowly_is_heated_earlier():
    room = RoomModel.from_site(TMV23, SOUTH)
    begins = []
    for seconds in (60.0, 1800.0):
        early = replace(COLD, as_of=at("2026-01-15T03:00"), models={SOUTH: replace(room, t_radiator=seconds)})
        begins.append(rows(early, SOUTH).loc[:"2026-01-15 08:00", "heating_setpoint"].eq(20).idxmax())
    assert pd.Timedelta("15min") <= begins[0] - begins[1] <= pd.Timedelta("45min")


def test_a_slow_radiator_is_turned_off_once_what_it_holds_brings_the_room_to_work():
    room = RoomModel.from_site(TMV23, SOUTH)
    last = at("2026-01-15T06:45")

    def told(seconds: float, air: float, was: float) -> tuple[float, str]:
        late = replace(
            cases.inputs(TMV23, last, mean=-2, temperature=air),
            models={SOUTH: replace(room, t_radiator=seconds)},
            told=dict.fromkeys(TMV23.room_ids, was),
        )
        first = rows(late, SOUTH).iloc[0]
        return first["heating_setpoint"], first["setpoint_reason"]

    off, why = told(1500.0, 19.8, 20.0)
    assert off == 17
    assert why == "not heated any more: what the radiators hold warms the room until 08:00"
    for still in (told(1500.0, 18.5, 20.0), told(1500.0, 19.8, 17.0), told(300.0, 19.8, 20.0)):
        assert still[0] > 19
        assert still[1].startswith("heated to")


def test_a_radiator_that_is_still_hot_warms_the_room_that_is_predicted():
    early = replace(
        cases.inputs(TMV23, at("2026-01-15T06:45"), mean=-2, temperature=19.5),
        models={SOUTH: replace(RoomModel.from_site(TMV23, SOUTH), t_radiator=1500.0)},
    )
    hot = rows(replace(early, told=dict.fromkeys(TMV23.room_ids, 20.0)), SOUTH)["predicted_temperature"]
    cold = rows(replace(early, told=dict.fromkeys(TMV23.room_ids, 17.0)), SOUTH)["predicted_temperature"]
    assert hot.iloc[2] > cold.iloc[2] + 0.05
    evening = replace(early, as_of=at("2026-01-15T15:00"), told=dict.fromkeys(TMV23.room_ids, 20.0))
    told = rows(evening, SOUTH)["predicted_temperature"]
    untold = rows(replace(evening, told={}), SOUTH)["predicted_temperature"]
    pd.testing.assert_series_equal(told, untold)


def test_a_warm_room_is_spared_by_its_shade_and_not_by_its_machine():
    """Within the margin under the upper limit nothing is cooled, and shades come down all the same."""
    site = TMV23.model_copy(
        update={"rooms": tuple(r.model_copy(update={"cooling_power": 1500.0}) for r in TMV23.rooms)}
    )
    optimum = optimise(replace(cases.inputs(site, at("2026-04-15T04:00"), mean=10, temperature=24.5), site=site))
    [task, *_] = outlook(cases.inputs(site, at("2026-04-15T04:00"), mean=10, temperature=24.5), shade_groups(site))
    cooled = optimum.cooling > 1
    assert optimum.closed[0].any()
    assert (optimum.air[cooled] > task.problem.high[np.nonzero(cooled)[1]] - 0.01).all()


def test_a_day_without_published_prices_costs_what_the_day_before_did():
    index = pd.date_range(HOT.as_of, periods=96, freq=STEP)
    known = pd.Series(np.where(index.hour == 12, 9.0, 1.0), index=index)
    [task, *_] = outlook(replace(HOT, prices=known), shade_groups(TMV23))
    assert np.allclose(task.problem.prices.cooling[24:], task.problem.prices.cooling[:24])
    [fixed, *_] = outlook(HOT, shade_groups(TMV23))
    assert np.allclose(fixed.problem.prices.cooling, 1.8 / 3)


def test_a_stormy_hour_keeps_shades_up_in_the_program_and_a_gusty_quarter_does_not():
    storm = HOT.forecast.set_index("valid_time")
    hour, quarter = HOT.as_of + 20 * STEP, HOT.as_of + 40 * STEP
    storm.loc[hour : hour + 3 * STEP, "wind_gust"] = 1.1 * TMV23.wind.retract_above * TMV23.wind.gust_factor
    storm.loc[quarter:quarter, "wind_gust"] = 1.1 * TMV23.wind.retract_above * TMV23.wind.gust_factor
    [task, *_] = outlook(replace(HOT, forecast=storm.reset_index()), shade_groups(TMV23))
    assert np.flatnonzero(task.problem.blocked).tolist() == [4, 5, 6]  # with its lead and its hold time


def test_the_margin_is_the_error_that_the_last_lesson_measured():
    [task, *_] = outlook(HOT, shade_groups(TMV23))
    assert (task.problem.margin == TMV23.control.margin).all()
    taught = replace(RoomModel.from_site(TMV23, SOUTH), rmse={1: 0.1, 6: 0.35, 24: 2.0})
    [task, *_] = outlook(replace(HOT, models={SOUTH: taught}), shade_groups(TMV23))
    np.testing.assert_allclose(task.problem.margin[0, [0, 2, 5, 47]], [0.1, 0.2, 0.35, TMV23.control.margin])
    assert (task.problem.margin[1:] == TMV23.control.margin).all()


def test_nothing_is_cooled_ahead_of_time_and_no_more_than_a_thermostat_would():
    dear_later = pd.Series(np.where(np.arange(192) < 24, 0.01, 9.0), pd.date_range(HOT.as_of, periods=192, freq=STEP))
    optimum = optimise(replace(HOT, prices=dear_later))
    assert optimum.cooling.max() > 0
    limit = TMV23.comfort.occupied.high
    assert optimum.open_air[optimum.cooling > 0].min() > limit - 1e-6
    [task, *_] = outlook(replace(HOT, prices=dear_later), shade_groups(TMV23))
    unshaded = Unshaded.of(task.problem)
    assert (optimum.cooling[task.planned] <= unshaded.cooling + 1e-6).all()
    held = unshaded.cooling > 0
    assert (unshaded.cooled[held] > np.broadcast_to(task.problem.high, held.shape)[held] - 1e-9).all()


def test_a_margin_is_worth_what_machines_would_use_or_the_comfort_that_they_cannot_give():
    site = TMV23.model_copy(
        update={"rooms": tuple(r.model_copy(update={"cooling_power": 1500.0}) for r in TMV23.rooms)}
    )
    for inputs, cheap in ((replace(HOT, site=site), True), (HOT, False)):
        [task, *_] = outlook(inputs, shade_groups(inputs.site))
        worth = within_reason(task.problem, Unshaded.of(task.problem)).prices.margin
        warm = slice(6, 10)
        assert (worth[0, warm] < 0.05).all() == cheap
        assert (worth[0, warm] == task.problem.prices.margin).all() != cheap


def test_a_plan_costs_no_less_than_its_bounds_and_a_paid_view_keeps_shades_up():
    [task, *_] = outlook(cases.inputs(TMV23, at("2026-04-15T04:00"), mean=10, temperature=21), shade_groups(TMV23))
    plan = plan_group(task.problem)
    assert lower_bound(task.problem) <= plan.bound + 1e-6 <= plan.cost + 2e-6
    assert plan.proven
    paid = replace(task.problem.prices, view=50.0)
    assert not plan_group(replace(task.problem, prices=paid)).closed[task.problem.viewed].any()


def test_an_empty_warm_room_lets_the_sun_of_a_cold_weekend_in_for_the_rooms_around():
    saturday = cases.inputs(TMV23, at("2026-01-17T05:00"), mean=-3, temperature=24)
    down = dict.fromkeys(TMV23.room_ids, ShadeState(1.0, at("2026-01-16T15:00"), 1))
    [task, *_] = outlook(replace(saturday, shades=down), shade_groups(TMV23))
    problem = within_reason(task.problem, Unshaded.of(task.problem))
    sunny = problem.gain_open.sum(axis=0)[:14] > 1000
    assert sunny.sum() > 3
    assert not plan_group(problem).closed[:14][sunny].any()
    alone = plan_group(replace(problem, prices=replace(problem.prices, sun=0.0)))
    assert alone.closed[:14][sunny].all()
    [mild, *_] = outlook(cases.inputs(TMV23, at("2026-04-18T05:00"), mean=10), shade_groups(TMV23))
    assert mild.problem.prices.sun == 0


def test_sun_is_worth_nothing_to_the_rooms_around_until_a_day_s_cooling_is_over():
    cooled = TMV23.model_copy(
        update={"rooms": tuple(r.model_copy(update={"cooling_power": 1500.0}) for r in TMV23.rooms)}
    )
    monday = cases.inputs(cooled, at("2026-01-19T05:00"), mean=2, temperature=26)
    [task, *_] = outlook(monday, shade_groups(cooled))
    unshaded = Unshaded.of(task.problem)
    last = {day: hour for hour, day in enumerate(task.problem.day) if (unshaded.cooling[:, hour] > 0).any()}
    assert len(last) == 2
    assert task.problem.prices.sun > 0
    worth = within_reason(task.problem, unshaded).prices.sun
    expected = [hour > last.get(day, -1) for hour, day in enumerate(task.problem.day)]
    assert worth.tolist() == [task.problem.prices.sun * over for over in expected]
    assert not all(expected)
    assert any(expected)
    assert (unshaded.cooling[:, : last[task.problem.day[0]]] == 0).any(axis=0).any()  # an hour before its cooling


def test_a_day_in_the_dark_costs_more_than_two_half_days(monkeypatch):
    site = TMV23.model_copy(
        update={"rooms": tuple(r.model_copy(update={"cooling_power": 1500.0}) for r in TMV23.rooms)}
    )
    [task, *_] = outlook(cases.inputs(site, at("2026-06-16T04:00"), mean=18, temperature=24), shade_groups(site))
    problem = within_reason(task.problem, Unshaded.of(task.problem))
    seen = problem.viewed & (problem.day == problem.day[0])

    def lost(gloom: float) -> int:
        monkeypatch.setattr(assemble, "GLOOM", gloom)
        plan = plan_group(replace(problem, prices=replace(problem.prices, view=0.01)))
        return int(plan.closed[seen].sum())

    half = seen.sum() / 2
    assert lost(1.0) > half + 1
    assert half - 1 <= lost(1000.0) <= half


def test_what_cannot_be_planned_says_what_is_wrong():
    [task, *_] = outlook(HOT, shade_groups(TMV23))
    free = replace(task.problem.prices, heat=np.full(task.problem.steps, np.nan))
    with pytest.raises(ProblemError, match="the heat price is not known"):
        plan_group(replace(task.problem, prices=free))


def test_an_optimum_survives_the_archive():
    optimum = optimise(replace(HOT, rooms=cases.rooms(TMV23, np.nan)))
    assert optimum.why[SOUTH] == "no room of the group has a fresh temperature"
    for made in (optimum, optimise(HOT)):
        frame = made.to_frame(TMV23.room_ids)
        pd.testing.assert_frame_equal(OPTIMAL_PLAN.conform(frame), frame)
        back = Optimum.from_frame(frame, TMV23.room_ids)
        assert back.issued_at == made.issued_at
        assert back.why == made.why
        for name in ("closed", "air", "mass", "open_air", "heating", "cooling", "disturbance"):
            np.testing.assert_array_equal(getattr(back, name), getattr(made, name))


def test_the_trace_names_the_winner_the_losers_and_the_ages_of_the_inputs():
    windy = replace(HOT, as_of=HOT.as_of + 16 * STEP, rooms=cases.rooms(TMV23, 24.0, wind=14.0))
    trace = trace_frame(decide(windy, optimise(windy)).trace).set_index("room").loc[SOUTH]
    assert (trace["rule"], trace["position"]) == (Rule.WIND, 0.0)
    assert trace["source"] == "optimum"
    assert '"wind_speed_m_s": {"value": 14.0, "age_minutes": 10.0}' in trace["inputs"]
    assert trace["holds_until"] > trace["issued_at"]


def test_the_trace_tells_an_age_of_nothing_as_nothing_and_no_age_that_is_not_known():
    fresh = replace(HOT, rooms=cases.rooms(TMV23, 24.0, wind=4.0), wind_age=timedelta(0))
    told = json.loads(trace_frame(decide(fresh).trace)["inputs"].iloc[0])
    assert told["wind_speed_m_s"] == {"value": 4.0, "age_minutes": 0.0}
    assert told["air_temperature_degC"] == {"value": 24.0, "age_minutes": None}
    assert told["wind_forecast_m_s"]["age_minutes"] == 60.0
    assert told["window_open"] == {"value": None, "age_minutes": None}


def test_a_hand_on_a_shade_is_seen_respected_for_a_while_and_released():
    control = TMV23.control.model_copy(update={"mode": "active"})
    site = TMV23.model_copy(update={"control": control})
    times = pd.date_range(HOT.as_of - 6 * STEP, periods=6, freq=STEP)
    told = pd.DataFrame(
        {"valid_time": times, "room": SOUTH, "shade_position": 1.0, "rule": str(Rule.SHADE_FOR_COMFORT)}
    )
    seen = pd.DataFrame({"timestamp": times, "room": "building", "blind_motor_south": [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]})
    found = overrides(site, told, seen, HOT.as_of)
    assert found == {SOUTH: Override(0.0, times[4], times[4] + timedelta(hours=2))}
    assert overrides(TMV23, told, seen, HOT.as_of) == {}
    assert overrides(site, told, seen, HOT.as_of, {SOUTH: HOT.as_of - STEP}) == {}
    late = replace(HOT, as_of=HOT.as_of + 16 * STEP)
    held = Override(0.0, late.as_of - STEP, late.as_of + 4 * STEP)
    plan = rows(replace(late, overrides={SOUTH: held}), "1.215")
    assert plan["rule"].head(5).tolist()[:4] == [Rule.MANUAL] * 4
    assert plan["shade_position"].head(4).eq(0).all()
    assert "moved by hand in 1.213 at 09:45, respected until 11:00" in plan["reason"].iloc[0]


def test_a_new_optimum_starts_from_the_setpoints_that_are_in_force():
    day = cases.inputs(TMV23, at("2026-01-15T08:00"), mean=-2, temperature=20)
    optimum = optimise(day)
    warm = replace(optimum, heating=np.full_like(optimum.heating, 500.0), air=np.full_like(optimum.air, 23.0))
    calm = replace(optimum, heating=np.zeros_like(optimum.heating))

    def heating(told, optimum):
        plan = rows(replace(day, told=dict.fromkeys(TMV23.room_ids, told)), SOUTH, optimum)
        return plan["heating_setpoint"].to_numpy()[:10]

    rise = 0.25 * np.arange(1, 11)
    np.testing.assert_allclose(heating(20.0, warm), 20 + rise)
    np.testing.assert_allclose(heating(22.0, calm), np.maximum(22 - rise, 20))
    np.testing.assert_allclose(heating(20.0, calm), 20.0)
    windows_were_open = replace(day, as_of=at("2026-01-15T09:00"), told={SOUTH: 17.0})
    assert rows(windows_were_open, SOUTH, optimum)["heating_setpoint"].iloc[0] >= 20.0


def test_an_open_window_turns_heating_and_cooling_off_and_glare_lowers_for_somebody_who_is_there():
    site = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"glare_above": 300.0})})
    mild = cases.inputs(site, at("2026-04-15T10:00"), mean=8, temperature=20.5)
    measured = mild.rooms.assign(occupancy=1.0, window_open=1.0)
    optimum = optimise(mild)
    open_all = replace(optimum, closed=np.zeros_like(optimum.closed))
    plan = rows(replace(mild, rooms=measured), SOUTH, open_all)
    assert (plan["heating_setpoint"].iloc[0], plan["cooling_setpoint"].iloc[0]) == (17, 29)
    assert plan["reason"].iloc[0].endswith("a window is open: heating and cooling off")
    assert plan["rule"].head(2).tolist() == [Rule.GLARE, Rule.GLARE]
    assert rows(replace(mild, rooms=measured.assign(occupancy=0.0)), SOUTH, open_all)["rule"].iloc[0] != Rule.GLARE
    beside = rows(seen(mild, "1.215", 1.0), SOUTH, open_all)
    assert "somebody is in 1.215 and the south facade" in beside["reason"].iloc[0]


def test_glare_is_what_the_facade_sensor_reads_and_without_one_what_is_estimated():
    site = TMV23.model_copy(update={"control": TMV23.control.model_copy(update={"glare_above": 300.0})})
    mild = cases.inputs(site, at("2026-04-15T10:00"), mean=8, temperature=20.5)
    dull = replace(mild, gains=cases.gains(site, mild.as_of, sky=0.0))
    optimum = optimise(mild)
    open_all = replace(optimum, closed=np.zeros_like(optimum.closed))

    def first(inputs: PlanInputs, measured: float) -> pd.Series:
        table = inputs.rooms.assign(occupancy=1.0, solar_intensity_south=measured)
        return rows(replace(inputs, rooms=table), SOUTH, open_all).iloc[0]

    assert first(mild, 200.0)["rule"] != Rule.GLARE
    assert first(mild, np.nan)["rule"] == Rule.GLARE
    assert first(mild, 65535.0)["rule"] == Rule.GLARE
    assert first(dull, np.nan)["rule"] != Rule.GLARE
    dazzled = first(dull, 450.0)
    assert dazzled["rule"] == Rule.GLARE
    assert "has 450 W/m2, glare limit 300" in dazzled["reason"]


def test_the_outlook_is_two_days_and_a_held_shade_is_not_moved_at_once():
    assert read_horizon(HOT, OUTLOOK).steps == HOURS * 4
    moved = {room: ShadeState(1.0, HOT.as_of - STEP, 1) for room in TMV23.room_ids}
    assert optimise(replace(HOT, shades=moved)).closed[0, :2].tolist() == [1, 1]
