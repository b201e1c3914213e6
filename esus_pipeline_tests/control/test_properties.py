"""Whatever comes in: a full plan, within its limits, with a reason, and up when it blows."""

import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esus_pipeline.control import RULES, PlanInputs, ShadeState, make_plan, shade_states
from esus_pipeline.control.safety import DWELL, MOVES_PER_DAY, Held, Limits, settle
from esus_pipeline.frames import SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

TMV23 = load_site("tmv23")
DAYS = (
    "2026-06-16T04:00",
    "2026-06-19T15:45",
    "2026-01-15T05:00",
    "2026-03-28T20:15",
    "2026-10-24T22:00",
    "2026-10-25T00:30",
)
ODD = st.one_of(st.floats(), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 25.0, 900.0]))

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@lru_cache
def clear(day: str, mean: float = 17.0) -> PlanInputs:
    return cases.inputs(TMV23, at(day), mean=mean)


@st.composite
def spoiled(draw: st.DrawFn, frame: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame | None:
    """The frame, or none, or fewer rows, shuffled or doubled, with odd values in some of them."""
    if frame is None or draw(st.integers(0, 7)) == 0:
        return None
    frame = frame.copy()
    for _ in range(draw(st.integers(0, 4))):
        column = draw(st.sampled_from(columns))
        start = draw(st.integers(0, len(frame) - 1))
        length = draw(st.sampled_from([1, 4, 40, len(frame)]))
        frame.iloc[start : start + length, frame.columns.get_loc(column)] = draw(ODD)
    cut = draw(st.sampled_from(["whole", "head", "tail", "holes", "doubled", "shuffled"]))
    rows = draw(st.integers(0, len(frame)))
    return {
        "whole": frame,
        "head": frame.head(rows),
        "tail": frame.tail(rows),
        "holes": frame.iloc[::3],
        "doubled": pd.concat([frame, frame.head(rows)]),
        "shuffled": frame.sample(frac=1, random_state=rows),
    }[cut]


@st.composite
def any_inputs(draw: st.DrawFn) -> PlanInputs:
    base = clear(draw(st.sampled_from(DAYS)), draw(st.sampled_from([-5.0, 10.0, 17.0, 24.0])))
    ages = st.one_of(st.none(), st.timedeltas(timedelta(hours=-3), timedelta(hours=30)))
    rooms = draw(spoiled(base.rooms, ["air_temperature", TMV23.wind.quantity]))
    known = draw(st.lists(st.sampled_from(TMV23.room_ids), unique=True))
    closed = draw(st.booleans())
    since = base.as_of - draw(st.integers(0, 50)) * STEP
    state = ShadeState(float(closed), since, draw(st.integers(0, 3)))
    return replace(
        base,
        forecast=draw(spoiled(base.forecast, ["temp_air", "wind_speed", "wind_gust"])),
        forecast_age=draw(ages),
        gains=draw(spoiled(base.gains, ["poa_global", "gain_open", "gain_shaded"])),
        rooms=rooms if rooms is None or draw(st.booleans()) else rooms.set_index("room"),
        wind_age=draw(ages),
        shades=dict.fromkeys(known, state),
    )


def shades(plan: pd.DataFrame) -> pd.DataFrame:
    return plan.pivot(index="valid_time", columns="room", values="shade_position")


@quick
@given(any_inputs())
def test_there_is_always_a_full_plan_within_its_limits_and_with_reasons(inputs):
    plan = make_plan(inputs)
    pd.testing.assert_frame_equal(SHADE_SETPOINT_SCHEDULE.conform(plan), plan)
    grid = pd.date_range(inputs.as_of, periods=144, freq=STEP)
    assert len(plan) == 144 * len(TMV23.rooms)
    for name in TMV23.room_ids:
        assert list(plan[plan["room"] == name]["valid_time"]) == list(grid)
    assert plan["issued_at"].eq(pd.Timestamp(inputs.as_of)).all()
    assert plan["shade_position"].isin([0.0, 1.0]).all()
    assert np.isfinite(plan[["heating_setpoint", "cooling_setpoint"]].to_numpy()).all()
    assert (plan["heating_setpoint"] < plan["cooling_setpoint"]).all()
    assert np.isfinite(plan["predicted_temperature"].dropna()).all()
    assert plan["baseline_shade_position"].dropna().isin([0.0, 1.0]).all()
    assert plan["reason"].str.fullmatch(r"[A-Za-z0-9 .,:;/-]{5,200}").all()
    assert set(plan["rule"]) <= set(RULES)
    assert not plan["reason"].str.contains("nan|inf ").any()


@quick
@given(any_inputs())
def test_rooms_of_a_group_move_together(inputs):
    position = shades(make_plan(inputs))
    for group in TMV23.shade_groups.values():
        assert position[list(group.rooms)].nunique(axis=1).eq(1).all()


@quick
@given(any_inputs())
def test_dwell_time_and_moves_per_day_hold_except_for_safety(inputs):
    plan = make_plan(inputs)
    safety = {rule for rule in set(plan["rule"]) if rule == "wind" or rule.startswith(("missing", "stale"))}
    for name in TMV23.room_ids:
        rows = plan[plan["room"] == name]
        position = np.concatenate([[getattr(inputs.shades.get(name), "position", np.nan)], rows["shade_position"]])
        forced = rows["rule"].isin(safety).to_numpy()
        moved = np.diff(position)
        moves = np.flatnonzero(np.nan_to_num(moved) != 0)
        chosen = [step for step in moves if not forced[step]]
        for step in chosen:
            earlier = [move for move in moves if move < step]
            assert not earlier or forced[earlier[-1]] or step - earlier[-1] >= DWELL
        day = rows["valid_time"].dt.tz_convert(TMV23.zone).dt.date.to_numpy()
        assert all(sum(day[step] == date for step in chosen) <= MOVES_PER_DAY for date in set(day))


@quick
@given(st.sampled_from(DAYS), st.integers(0, 9999), st.floats(6, 16), st.floats(0, 30), st.booleans())
def test_wind_over_the_limit_always_has_the_shades_up(day, seed, level, measured, closed):
    base = clear(day, 24.0)
    wander = np.random.default_rng(seed).normal(0, 1, len(base.forecast)).cumsum()
    wind = np.clip(level + wander, 0, 40)
    forecast = base.forecast.assign(wind_speed=wind / 1.2, wind_gust=wind * TMV23.wind.gust_factor)
    state = ShadeState(float(closed), base.as_of - timedelta(hours=5), 1)
    inputs = replace(
        base,
        forecast=forecast,
        rooms=cases.rooms(TMV23, wind=measured),
        shades=dict.fromkeys(TMV23.room_ids, state),
    )
    position = shades(make_plan(inputs))
    expected = forecast.assign(wind=wind).set_index("valid_time")["wind"].reindex(position.index)
    nowcast = expected + (measured - expected) * np.clip(1 - np.arange(len(expected)) / 12, 0, None)
    windy = expected.index[nowcast > TMV23.wind.retract_above]
    assert position.reindex(windy).dropna().eq(0).all(axis=None)
    if measured > TMV23.wind.retract_above:
        assert position.iloc[:3].eq(0).all(axis=None)


@given(st.integers(0, 35040))
@settings(max_examples=80, deadline=None)
def test_setpoints_ramp_before_work_keep_the_band_while_people_are_expected_and_are_set_back_when_they_leave(quarter):
    as_of = at("2026-01-01T00:00") + quarter * STEP
    plan = make_plan(PlanInputs(site=TMV23, as_of=as_of))
    rows = plan[plan["room"] == TMV23.room_ids[0]]
    local = rows["valid_time"].dt.tz_convert(TMV23.zone)
    early = local.dt.hour < 8
    for column in ("heating_setpoint", "cooling_setpoint"):
        change = rows[column].diff().abs()
        assert change[early].fillna(0).max() <= 0.5 + 1e-9
        assert set(change[~early].dropna().unique()) <= {0.0, 3.0}
    people = local.dt.date.map(TMV23.is_working_day) & (local.dt.hour >= 8) & (local.dt.hour < 16)
    assert rows.loc[people, "heating_setpoint"].eq(20).all()
    assert rows.loc[people, "cooling_setpoint"].eq(26).all()
    night = local.dt.hour.isin([16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3])
    assert rows.loc[night, "heating_setpoint"].eq(17).all()
    assert rows.loc[night, "cooling_setpoint"].eq(29).all()


@pytest.mark.parametrize(("monday", "first_utc"), [("2026-03-30", 4.5), ("2026-10-26", 5.5), ("2026-06-15", 4.5)])
def test_the_preheat_ramp_ends_a_step_before_eight_local_time_on_both_sides_of_a_clock_change(monday, first_utc):
    as_of = at(f"{monday}T00:00") - timedelta(hours=6)
    rows = make_plan(PlanInputs(site=TMV23, as_of=as_of)).head(144).set_index("valid_time")["heating_setpoint"]
    begin = at(f"{monday}T00:00")
    ramp = rows[begin:].loc[lambda values: (values > 17) & (values < 20)].head(5)
    assert ramp.index[0] == begin + timedelta(hours=first_utc)
    assert ramp.index[-1] == begin + timedelta(hours=first_utc + 1)
    assert rows[begin + timedelta(hours=first_utc + 1.25)] == 20


def test_planning_every_quarter_with_a_jumping_forecast_does_not_make_the_shades_twitch():
    random = np.random.default_rng(7)
    start = at("2026-04-15T04:00")
    base = replace(
        cases.inputs(TMV23, start, temperature=22.5),
        forecast=cases.weather(TMV23, start, sky=0.6, mean=14, steps=240),
        gains=cases.gains(TMV23, start, sky=0.6, steps=240),
    )
    commanded = []
    for quarter in range(72):
        as_of = start + quarter * STEP
        noisy = base.gains.assign(
            **{c: base.gains[c] * random.uniform(0.6, 1.4) for c in ("poa_global", "gain_open", "gain_shaded")}
        )
        earlier = pd.concat(commanded) if commanded else SHADE_SETPOINT_SCHEDULE.empty()
        plan = make_plan(replace(base, as_of=as_of, gains=noisy, shades=shade_states(earlier, as_of, TMV23.zone)))
        commanded.append(plan[plan["valid_time"] == plan["issued_at"]])
    position = shades(pd.concat(commanded))
    moves = position.diff().abs().sum()
    assert 2 <= moves.max() <= MOVES_PER_DAY
    for name in position:
        steps = np.flatnonzero(position[name].diff().fillna(0))
        assert (np.diff(steps) >= DWELL).all()


def test_shade_states_tell_position_last_move_and_the_days_moves():
    def row(time: str, position: float, rule: str) -> dict[str, object]:
        moment = pd.Timestamp(at(time))
        return {"issued_at": moment, "valid_time": moment, "room": "1.213", "shade_position": position, "rule": rule}

    commanded = pd.DataFrame(
        [
            row("2026-06-15T12:00", 1, "close_before_sun"),
            row("2026-06-15T16:00", 0, "open_no_sun"),
            row("2026-06-16T06:30", 1, "close_before_sun"),
            row("2026-06-16T07:00", 0, "wind"),
            row("2026-06-16T09:00", 1, "close_before_sun"),
            row("2026-06-16T10:00", 0, "open_no_sun"),
        ]
    ).sample(frac=1, random_state=1)
    states = shade_states(commanded, at("2026-06-16T10:00"), TMV23.zone)
    assert states == {"1.213": ShadeState(1.0, since=at("2026-06-16T09:00"), moves_today=2)}
    assert shade_states(commanded.head(0), datetime.now(TMV23.zone), TMV23.zone) == {}


def test_a_shade_that_the_wind_raised_is_lowered_as_soon_as_the_wind_allows():
    gust = np.zeros(40, dtype=bool)
    gust[4:8] = True
    limits = Limits(up=gust, lowerable=~np.zeros(40, dtype=bool), hand=np.full(40, np.nan))
    wanted, day = np.ones(40, dtype=bool), np.zeros(40, dtype=np.int64)
    down = settle(wanted, limits, day, Held(1.0, steps_since_move=8, moves_today=1))
    assert np.flatnonzero(np.diff(down.astype(int))).tolist() == [3, 7]
    spent = settle(wanted, limits, day, Held(1.0, steps_since_move=8, moves_today=5))
    assert not spent[4:].any()


def test_the_same_inputs_give_the_same_plan():
    pd.testing.assert_frame_equal(make_plan(clear(DAYS[0])), make_plan(clear(DAYS[0])))
