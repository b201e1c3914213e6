"""Hands on shades: how they are seen in what was told and read, and what the plans make of them."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control import Override, PlanInputs, Rule, ShadeState, decide, make_plan, overrides, shade_states
from esus_pipeline.control.safety import Held, Limits, settle
from esus_pipeline.control.trace import trace_frame
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

LOADED = load_site("tmv23")
ACTIVE = LOADED.model_copy(
    update={"control": LOADED.control.model_copy(update={"mode": "active", "glare_above": 300.0})}
)
SOUTH = ("1.213", "1.215", "1.217")
ROOM = SOUTH[0]
HOLD = timedelta(minutes=ACTIVE.control.override_minutes)
NOON = at("2026-06-16T10:00")
MISSING = np.nan


def hand(told: list[float], seen: list[float], rules: list[Rule] | None = None, **building: object) -> Override | None:
    """The override in ROOM at NOON after steps in which it was told one thing and read another at their ends."""
    times = pd.date_range(NOON - len(told) * STEP, periods=len(told), freq=STEP)
    rule = [str(each) for each in rules or [Rule.SHADE_FOR_COST] * len(told)]
    commanded = pd.DataFrame({"valid_time": times, "room": ROOM, "shade_position": told, "rule": rule})
    observed = pd.DataFrame({"timestamp": times, "room": BUILDING, "blind_motor_south": seen} | building)
    return overrides(ACTIVE, commanded, observed, NOON).get(ROOM)


def back(steps: int) -> datetime:
    return NOON - steps * STEP


@pytest.mark.parametrize(("former", "new"), [(0.0, 1.0), (1.0, 0.0), (0.6, 1.0)])
def test_a_move_that_is_undone_within_its_own_quarter_is_a_hand_after_the_second_one(former, new):
    assert hand([former, former, new], [former, former, former]) is None
    assert hand([former, former, new, new], [former] * 4) == Override(former, back(2), back(2) + HOLD)


def test_a_command_that_is_carried_out_a_quarter_late_is_no_hand():
    assert hand([0, 0, 1, 1, 1], [0, 0, 0, 1, 1]) is None


def test_a_move_that_was_obeyed_and_then_undone_is_a_hand_at_once():
    assert hand([0, 0, 1, 1], [0, 0, 1, 0]) == Override(0.0, back(1), back(1) + HOLD)


def test_missing_readings_prove_no_hand_and_two_in_a_row_after_them_do():
    assert hand([0, 0, 1, 1], [0, 0, MISSING, 0]) is None
    assert hand([0, 0, 1, 1, 1], [0, 0, 0, MISSING, 0]) is None
    assert hand([0, 0, 1, 1, 1], [0, 0, MISSING, 0, 0]) == Override(0.0, back(2), back(2) + HOLD)
    assert hand([MISSING, MISSING, 1, 1], [0, 0, 0, 0]) is None


def again(stands: float, rule: Rule = Rule.MANUAL, **building: object) -> Override | None:
    """A shade that was lowered, put to 0.6 by hand and respected there, and then found elsewhere."""
    rules = [Rule.SHADE_FOR_COST] * 2 + [Rule.MANUAL] * 2 + [rule]
    return hand([1, 1, 0.6, 0.6, 0.6], [1, 0.6, 0.6, 0.6, stands], rules, **building)


def test_a_hand_that_moves_a_shade_again_is_respected_anew():
    assert again(0.6) == Override(0.6, back(4), back(4) + HOLD)
    assert again(0.2) == Override(0.2, back(1), back(1) + HOLD)


def test_a_second_hand_is_respected_as_long_as_the_first_one():
    held = int(HOLD / STEP)
    told, seen = [1, 1] + [0.6] * (held - 2) + [0.2] * (held - 2), [1] + [0.6] * (held - 2) + [0.2] * (held - 1)
    rules = [Rule.SHADE_FOR_COST] * 2 + [Rule.MANUAL] * (len(told) - 2)
    assert hand(told, seen, rules) == Override(0.2, back(held - 1), back(held - 1) + HOLD)


def test_a_hand_that_puts_the_shade_back_or_a_wind_that_raises_it_ends_the_hold():
    assert again(1.0) is None
    assert again(0.0, Rule.WIND) is None
    assert again(0.0, shading_released=[1.0] * 4 + [0.0]) is None


@pytest.mark.parametrize("rule", [Rule.WIND, Rule.PROTECTED])
def test_a_shade_that_the_wind_rule_commands_is_in_no_hand(rule):
    assert hand([1, 1, 0, 0], [1, 1, 1, 1], [Rule.SHADE_FOR_COST] * 2 + [rule] * 2) is None


def test_a_shade_that_the_building_holds_up_against_the_wind_is_in_no_hand():
    assert hand([0, 0, 1, 1], [0, 0, 0, 0], shading_released=[1.0, 1.0, 0.0, 0.0]) is None
    assert hand([0, 0, 1, 1], [0, 0, 0, 0], shading_released=[1.0, 1.0, 0.0, 1.0]) is None
    assert hand([1, 1, 1, 1], [1, 1, 1, 0], shading_released=[1.0, 1.0, 1.0, 0.0]) is None
    assert hand([0, 0, 1, 1], [0, 0, 0, 0], shading_released=1.0) is not None


def test_nobody_undoes_a_move_in_a_room_in_which_nobody_is_seen():
    times = pd.date_range(back(4), periods=4, freq=STEP)
    commanded = pd.DataFrame(
        {"valid_time": times, "room": ROOM, "shade_position": [0.0, 0.0, 1.0, 1.0], "rule": str(Rule.SHADE_FOR_COST)}
    )
    for seen, found in ((0.0, False), (0.5, True)):
        observed = pd.DataFrame({"timestamp": times, "room": ROOM, "blind_motor_south": 0.0, "occupancy": seen})
        assert (ROOM in overrides(ACTIVE, commanded, observed, NOON)) == found


def sunny(**changes: object) -> PlanInputs:
    """A warm noon whose plan wants the south shades down."""
    return replace(cases.inputs(ACTIVE, NOON, mean=20, temperature=24), **changes)


def south(plan: pd.DataFrame) -> pd.DataFrame:
    """The positions of the south group's rooms, which are the same in all three."""
    positions = plan.pivot(index="valid_time", columns="room", values="shade_position")[list(SOUTH)]
    assert positions.nunique(axis=1).eq(1).all()
    return plan[plan["room"] == ROOM].reset_index(drop=True)


@pytest.mark.parametrize("put", [0.6, 0.0])
def test_a_shade_stays_where_a_hand_put_it_through_all_plans_until_the_override_ends(put):
    base = cases.inputs(ACTIVE, NOON, mean=20, temperature=24)
    commanded, seen, stands = pd.DataFrame(), [], 0.0
    moved = 3
    for quarter in range(14):
        as_of = NOON + quarter * STEP
        observed = pd.DataFrame(seen, columns=["timestamp", "room", "blind_motor_south"])
        plan = make_plan(
            replace(
                base,
                as_of=as_of,
                shades=shade_states(commanded, as_of, ACTIVE.zone),
                overrides=overrides(ACTIVE, commanded, observed, as_of),
            )
        )
        told = plan[plan["valid_time"] == plan["issued_at"]]
        commanded = pd.concat([commanded, told])
        stands = put if quarter == moved else float(told.set_index("room")["shade_position"][ROOM])
        seen.append((pd.Timestamp(as_of), BUILDING, stands))
    first = south(commanded)
    end = moved + HOLD // STEP
    assert first["shade_position"].tolist() == [1.0] * (moved + 1) + [put] * (end - moved - 1) + [1.0] * (14 - end)
    assert first["rule"].eq(Rule.MANUAL).to_numpy().nonzero()[0].tolist() == list(range(moved + 1, end))


def test_all_rooms_of_a_group_stay_where_the_last_hand_put_the_shade_of_one():
    early = Override(1.0, NOON - 3 * STEP, NOON + 6 * STEP)
    late = Override(0.6, NOON - STEP, NOON + 4 * STEP)
    down = dict.fromkeys(SOUTH, ShadeState(1.0, NOON - 4 * STEP, 1))
    rows = south(make_plan(sunny(shades=down, overrides={SOUTH[0]: early, SOUTH[2]: late})))
    assert rows["shade_position"].head(6).tolist() == [0.6] * 4 + [1.0] * 2
    assert rows["rule"].head(6).eq(Rule.MANUAL).all()


def test_the_trace_tells_the_position_of_a_hand():
    held = {ROOM: Override(0.6, NOON - STEP, NOON + 4 * STEP)}
    trace = trace_frame(decide(sunny(overrides=held)).trace).set_index("room")
    assert trace.loc[list(SOUTH), "position"].tolist() == [0.6] * 3
    windy = trace_frame(decide(sunny(overrides=held, rooms=cases.rooms(ACTIVE, 24.0, wind=14.0))).trace)
    losing = json.loads(windy.set_index("room").loc[ROOM, "losing"])
    assert {"rule": "manual", "wish": "60% closed"} in losing


@pytest.mark.parametrize("put", [0.6, 1.0])
def test_a_hand_lowers_nothing_without_a_fresh_reading_of_the_wind(put):
    up = dict.fromkeys(SOUTH, ShadeState(0.0, NOON - STEP, 1, by_safety=True))
    held = {ROOM: Override(put, NOON - 3 * STEP, NOON + 4 * STEP)}
    stale = sunny(shades=up, overrides=held, wind_age=timedelta(minutes=45))
    rows = south(make_plan(stale))
    assert rows["shade_position"].head(4).tolist() == [0.0, 0.0, put, put]
    assert rows["rule"].head(4).tolist() == [Rule.WIND_UNKNOWN] * 2 + [Rule.MANUAL] * 2
    fresh = south(make_plan(replace(stale, wind_age=timedelta(minutes=10))))
    assert fresh["shade_position"].head(4).eq(put).all()
    down = dict.fromkeys(SOUTH, ShadeState(1.0, NOON - STEP, 1))
    assert south(make_plan(replace(stale, shades=down)))["shade_position"].head(4).eq(put).all()


def test_a_shade_that_a_hand_left_half_way_is_lowered_further_only_with_a_fresh_reading_of_the_wind():
    wanted, day, free = np.ones(4, dtype=bool), np.zeros(4, dtype=np.int64), np.zeros(4, dtype=bool)
    half = Held(0.6, steps_since_move=8, moves_today=1)
    blind = Limits(up=free, lowerable=np.arange(4) >= 2, hand=np.full(4, np.nan))
    assert settle(wanted, blind, day, half).tolist() == [0.6, 0.6, 1.0, 1.0]
    assert settle(~wanted, blind, day, half).tolist() == [0.0] * 4
    left = sunny(shades=dict.fromkeys(SOUTH, ShadeState(0.6, NOON - 8 * STEP, 1)), wind_age=None)
    rows = south(make_plan(left))
    assert rows["shade_position"].head(3).tolist() == [0.6, 0.6, 1.0]
    assert rows["rule"].head(2).eq(Rule.WIND_UNKNOWN).all()


def test_glare_wins_over_a_wish_that_asks_for_the_same():
    dazzled = sunny(rooms=cases.rooms(ACTIVE, 24.0).assign(occupancy=1.0))
    rows = south(make_plan(dazzled))
    assert rows["rule"].head(3).tolist() == [Rule.GLARE, Rule.GLARE, Rule.CLOSE_BEFORE_SUN]
    trace = trace_frame(decide(dazzled).trace).set_index("room").loc[ROOM]
    assert trace["rule"] == Rule.GLARE
    assert {"rule": "close_before_sun", "wish": "closed"} in json.loads(trace["losing"])
