import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control import PlanInputs, Rule, ShadeState, make_plan
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site, load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

TMV23 = load_site("tmv23")
SOUTH, EAST = "1.213", "1.229"


def room(plan: pd.DataFrame, name: str, site: Site = TMV23) -> pd.DataFrame:
    rows = plan[plan["room"] == name]
    return rows.set_index(rows["valid_time"].dt.tz_convert(site.zone))


def closed_times(plan: pd.DataFrame, name: str) -> list[str]:
    rows = room(plan, name)
    return [f"{moment:%a %H:%M}" for moment in rows.index[rows["shade_position"] == 1]]


def test_a_sunny_june_day_lowers_the_south_shades_before_the_sun_reaches_the_facade():
    inputs = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    plan = make_plan(inputs)
    sunny = inputs.gains[(inputs.gains["room"] == SOUTH) & (inputs.gains["poa_global"] > 120)]["valid_time"]
    arrival = sunny[sunny >= inputs.as_of].min()
    first = room(plan, SOUTH)["shade_position"].idxmax()
    assert first == arrival - timedelta(minutes=15)
    rows = room(plan, SOUTH)
    assert rows.loc[first, "rule"] == Rule.CLOSE_BEFORE_SUN
    assert rows.loc[first, "baseline_shade_position"] == 0
    assert rows.loc[: first - timedelta(minutes=15), "shade_position"].eq(0).all()


def test_the_reason_gives_the_suns_arrival_its_energy_and_the_temperature_in_local_time():
    plan = make_plan(cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17))
    rows = room(plan, SOUTH)
    reason = rows[rows["shade_position"] == 1]["reason"].iloc[0]
    assert re.fullmatch(
        r"lowered at 08:30: the sun reaches the south facade at 08:45; "
        r"\d+\.\d kWh by \d\d:\d\d would lift 1\.213 to \d\d\.\d degC, limit 25\.6",
        reason,
    )


def test_a_cold_sunny_january_morning_leaves_the_shades_open_for_the_suns_heat():
    plan = make_plan(cases.inputs(TMV23, at("2026-01-15T05:00"), mean=0, temperature=19))
    for name in TMV23.room_ids:
        morning = room(plan, name).between_time("00:00", "11:45")
        assert morning["shade_position"].eq(0).all()
    noon = room(plan, SOUTH).loc["2026-01-15 10:00":"2026-01-15 11:00"]
    assert noon["rule"].eq(Rule.OPEN_FOR_GAIN).all()
    assert noon["baseline_shade_position"].eq(1).all()


def test_on_a_cold_day_the_shade_is_lowered_late_and_keeps_the_room_within_its_band():
    plan = make_plan(cases.inputs(TMV23, at("2026-01-15T05:00"), mean=0, temperature=19))
    rows = room(plan, SOUTH).loc["2026-01-15"]
    lowered = rows[rows["shade_position"] == 1]
    assert lowered["rule"].eq(Rule.CLOSE_WHEN_WARM).all()
    assert lowered.index[0].hour >= 12
    assert rows["predicted_temperature"].max() <= 26


def test_an_overcast_day_leaves_the_shades_open():
    plan = make_plan(cases.inputs(TMV23, at("2026-06-16T04:00"), sky=0.0, mean=14))
    assert plan["shade_position"].eq(0).all()
    assert plan["rule"].eq(Rule.OPEN_NO_SUN).all()


def test_the_shades_are_open_at_night():
    plan = make_plan(cases.inputs(TMV23, at("2026-06-16T10:00"), mean=20))
    for name in TMV23.room_ids:
        assert room(plan, name).between_time("22:45", "03:45")["shade_position"].eq(0).all()


def test_a_lowered_shade_keeps_the_room_cooler_than_an_open_one():
    inputs = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    windy = replace(inputs, forecast=inputs.forecast.assign(wind_gust=24.0))
    shaded, unshaded = make_plan(inputs), make_plan(windy)
    assert (shaded["predicted_temperature"] <= unshaded["predicted_temperature"] + 1e-9).all()
    assert room(unshaded, SOUTH)["predicted_temperature"].max() > 30
    assert room(shaded, SOUTH).loc["2026-06-16", "predicted_temperature"].max() < 26


def with_gust(inputs: PlanInputs, start: str, end: str, gust: float) -> PlanInputs:
    forecast = inputs.forecast.copy()
    during = (forecast["valid_time"] >= at(start)) & (forecast["valid_time"] < at(end))
    forecast.loc[during, "wind_gust"] = gust * TMV23.wind.gust_factor
    return replace(inputs, forecast=forecast)


def test_wind_beats_sun_with_a_lead_before_and_a_hold_after():
    calm = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    plan = make_plan(with_gust(calm, "2026-06-16T09:00", "2026-06-16T10:00", 14.0))
    rows = room(plan, SOUTH)
    stop = rows[rows["rule"] == Rule.WIND]
    assert [f"{moment:%H:%M}" for moment in stop.index] == [
        "10:45", "11:00", "11:15", "11:30", "11:45", "12:00", "12:15",
    ]  # fmt: skip
    assert stop["shade_position"].eq(0).all()
    assert stop["reason"].iloc[0] == (
        "raised at 10:45 because of wind until 12:30: up to 14.0 m/s, limit 10.0, released below 8.0"
    )
    assert f"{rows.index[rows['shade_position'].to_numpy().nonzero()[0][-1]]:%a}" == "Wed"
    assert rows.loc["2026-06-16 12:30", "rule"] == Rule.CLOSE_BEFORE_SUN
    assert closed_times(plan, SOUTH)[closed_times(plan, SOUTH).index("Tue 10:30") + 1] == "Tue 12:30"


def test_a_shade_that_the_wind_kept_up_is_lowered_for_the_sun_that_is_still_to_come():
    calm = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    plan = room(make_plan(with_gust(calm, "2026-06-16T04:00", "2026-06-16T09:00", 14.0)), SOUTH)
    lowered = plan[plan["shade_position"] == 1].iloc[0]
    assert f"{lowered.name:%H:%M}" == "11:30"
    said = re.search(r"lowered at 11:30: .* ([\d.]+) kWh by (\d\d:\d\d) would lift", lowered["reason"])
    gains = calm.gains[calm.gains["room"] == SOUTH].set_index("valid_time")["gain_open"].tz_convert(TMV23.zone)
    peak = pd.Timestamp(f"2026-06-16 {said[2]}", tz=TMV23.zone)
    to_come = gains[(gains.index >= lowered.name) & (gains.index < peak)].sum() / 4000
    assert float(said[1]) == pytest.approx(to_come, abs=0.051)


def test_between_release_and_limit_the_wind_stop_holds():
    calm = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    plan = make_plan(
        with_gust(
            with_gust(calm, "2026-06-16T09:00", "2026-06-16T10:00", 14), "2026-06-16T10:00", "2026-06-16T11:00", 9
        )
    )
    stop = room(plan, SOUTH).query("rule == 'wind'").index
    assert (f"{stop[0]:%H:%M}", f"{stop[-1]:%H:%M}") == ("10:45", "13:15")


def test_a_gust_before_the_plan_begins_is_still_held():
    calm = cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17)
    plan = make_plan(with_gust(calm, "2026-06-16T08:45", "2026-06-16T09:00", 14.0))
    assert room(plan, SOUTH)["rule"].head(3).tolist() == [Rule.WIND, Rule.WIND, Rule.CLOSE_BEFORE_SUN]


def test_a_fresh_measured_wind_raises_and_a_stale_one_neither_raises_nor_lets_a_shade_down():
    inputs = replace(cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17), rooms=cases.rooms(TMV23, wind=13.0))
    assert room(make_plan(inputs), SOUTH)["rule"].iloc[0] == Rule.WIND
    closed = dict.fromkeys(TMV23.room_ids, ShadeState(1.0, inputs.as_of - timedelta(hours=3), 1))
    for age in (timedelta(minutes=31), timedelta(minutes=-1), None):
        stale = replace(inputs, wind_age=age)
        rows = room(make_plan(stale), SOUTH)
        assert rows["rule"].head(3).tolist() == [Rule.WIND_UNKNOWN, Rule.WIND_UNKNOWN, Rule.CLOSE_BEFORE_SUN]
        assert rows["shade_position"].head(3).tolist() == [0, 0, 1]
        assert room(make_plan(replace(stale, shades=closed)), SOUTH)["shade_position"].iloc[0] == 1


def test_a_fresh_reading_counts_more_than_a_forecast_storm_for_three_hours():
    calm = cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17)
    storm = with_gust(calm, "2026-06-16T05:00", "2026-06-16T14:00", 14.0)
    measured = pd.Series(2.0, pd.date_range(calm.as_of - 24 * STEP, periods=24, freq=STEP))
    known = room(make_plan(replace(storm, past_wind=measured)), SOUTH)
    assert known["shade_position"].head(4).eq(1).all()
    assert known["rule"].iloc[12] == Rule.WIND
    assert room(make_plan(replace(storm, wind_age=None)), SOUTH)["rule"].head(12).eq(Rule.WIND).all()


def test_without_forecast_gusts_the_mean_wind_counts_and_with_them_the_gust_over_its_factor():
    inputs = replace(cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17), wind_age=None)
    slow = inputs.forecast.assign(wind_gust=np.nan, wind_speed=9.9)
    fast = inputs.forecast.assign(wind_gust=np.nan, wind_speed=10.1)
    assert not make_plan(replace(inputs, forecast=slow))["rule"].eq(Rule.WIND).any()
    assert make_plan(replace(inputs, forecast=fast))["rule"].eq(Rule.WIND).all()
    gusts = TMV23.model_copy(update={"wind": TMV23.wind.model_copy(update={"gust_factor": 1.0})})
    breezy = replace(inputs, forecast=inputs.forecast.assign(wind_gust=10.5))
    assert not make_plan(breezy)["rule"].eq(Rule.WIND).any()
    assert make_plan(replace(breezy, site=gusts))["rule"].eq(Rule.WIND).all()


def no_wind(inputs: PlanInputs) -> PlanInputs:
    return replace(inputs, forecast=inputs.forecast.assign(wind_gust=np.nan, wind_speed=np.nan))


@pytest.mark.parametrize(
    ("break_it", "rule", "words"),
    [
        (lambda i: replace(i, forecast=None), Rule.MISSING_FORECAST, "no weather forecast"),
        (lambda i: replace(i, forecast=i.forecast.head(0)), Rule.MISSING_FORECAST, "no weather forecast"),
        (
            lambda i: replace(i, forecast_age=timedelta(hours=7, minutes=30)),
            Rule.STALE_FORECAST,
            "7.5 h old, limit 6 h",
        ),
        (lambda i: replace(i, gains=None), Rule.MISSING_GAINS, "no estimate of the sun"),
        (lambda i: replace(i, rooms=None), Rule.MISSING_TEMPERATURE, "no fresh temperature"),
        (lambda i: replace(i, rooms=cases.rooms(TMV23, np.inf)), Rule.MISSING_TEMPERATURE, "no fresh temperature"),
        (no_wind, Rule.MISSING_WIND, "no wind forecast"),
    ],
)
def test_a_missing_input_gives_the_safe_plan_with_the_reason(break_it, rule, words):
    plan = make_plan(break_it(cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17)))
    assert plan["shade_position"].eq(0).all()
    assert plan["rule"].eq(rule).all()
    assert plan["reason"].str.contains(words).all()
    occupied = room(plan, SOUTH).loc["2026-06-16 12:00"]
    assert (occupied["heating_setpoint"], occupied["cooling_setpoint"]) == (20, 26)


def test_the_forecasts_age_is_taken_from_its_issue_where_it_is_not_given():
    inputs = replace(cases.inputs(TMV23, at("2026-06-16T09:00"), mean=17), forecast_age=None)
    assert not make_plan(inputs)["rule"].eq(Rule.STALE_FORECAST).any()
    old = inputs.forecast.assign(issued_at=pd.Timestamp(at("2026-06-16T02:45")))
    assert make_plan(replace(inputs, forecast=old))["rule"].eq(Rule.STALE_FORECAST).all()


def test_a_forecast_that_ends_early_gives_the_safe_plan_from_there():
    inputs = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    short = replace(inputs, forecast=inputs.forecast[inputs.forecast["valid_time"] < at("2026-06-16T14:00")])
    rows = room(make_plan(short), SOUTH)
    assert rows.loc["2026-06-16 12:00", "shade_position"] == 1
    assert rows.loc["2026-06-16 16:00":, "rule"].eq(Rule.MISSING_FORECAST).all()
    assert rows.loc["2026-06-16 16:15":, "predicted_temperature"].isna().all()
    assert "no weather forecast from 16:00 on" in rows.loc["2026-06-16 16:00", "reason"]


def test_a_room_without_a_temperature_follows_its_group_and_says_so():
    inputs = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    measured = inputs.rooms.copy()
    measured.loc[measured["room"] == SOUTH, "air_temperature"] = np.nan
    plan = make_plan(replace(inputs, rooms=measured))
    assert closed_times(plan, SOUTH) == closed_times(plan, "1.215") != []
    rows = room(plan, SOUTH)
    assert rows["predicted_temperature"].isna().all()
    lowered = rows[rows["shade_position"] == 1]["reason"].iloc[0]
    assert "would lift 1.215" in lowered
    assert lowered.endswith("1.213 moves with it")


def test_one_warm_room_closes_its_whole_group_and_no_other():
    inputs = cases.inputs(TMV23, at("2026-04-25T04:00"), sky=0.35, mean=13, temperature=20)
    cool = make_plan(inputs)
    measured = inputs.rooms.copy()
    measured.loc[measured["room"] == "1.215", "air_temperature"] = 29.5
    warm = make_plan(replace(inputs, rooms=measured))
    assert closed_times(cool, SOUTH) == []
    assert closed_times(warm, SOUTH) == closed_times(warm, "1.217") == closed_times(warm, "1.215") != []
    assert closed_times(warm, EAST) == closed_times(cool, EAST)


def test_a_room_without_a_shade_has_nothing_to_move():
    bare = TMV23.room(EAST)
    bare = bare.model_copy(update={"windows": tuple(w.model_copy(update={"shade": None}) for w in bare.windows)})
    site = TMV23.model_copy(update={"rooms": tuple(bare if r.id == EAST else r for r in TMV23.rooms)})
    plan = make_plan(cases.inputs(site, at("2026-06-16T04:00"), mean=17))
    assert room(plan, EAST)["rule"].eq(Rule.NO_SHADE).all()
    assert room(plan, EAST)["shade_position"].eq(0).all()
    assert room(plan, "1.231")["shade_position"].eq(1).any()


def test_rooms_outside_any_group_decide_alone_and_have_no_baseline():
    site = TMV23.model_copy(update={"shade_groups": {}})
    plan = make_plan(cases.inputs(site, at("2026-06-16T04:00"), mean=17))
    assert closed_times(plan, SOUTH) != []
    assert plan["baseline_shade_position"].isna().all()


def test_the_baseline_closes_above_its_threshold_and_opens_below_the_lower_one():
    inputs = cases.inputs(TMV23, at("2026-06-16T04:00"), mean=17)
    sun = np.select(
        [inputs.gains["valid_time"] < at(f"2026-06-16T{hour:02}:00") for hour in (8, 9, 10, 11)],
        [100, 260, 150, 119],
        150,
    )
    gains = inputs.gains.assign(poa_global=sun.astype(float))
    rows = room(make_plan(replace(inputs, gains=gains)), SOUTH)["baseline_shade_position"]
    assert rows.loc["2026-06-16 09:45"] == 0
    assert rows.loc["2026-06-16 10:00":"2026-06-16 11:45"].eq(1).all()
    assert rows.loc["2026-06-16 12:00":].eq(0).all()


def test_a_plan_made_while_the_shade_is_down_keeps_it_down_and_remembers_since_when():
    inputs = cases.inputs(TMV23, at("2026-06-16T10:00"), mean=20, temperature=24)
    state = ShadeState(1.0, since=at("2026-06-16T06:30"), moves_today=1)
    plan = make_plan(replace(inputs, shades=dict.fromkeys(TMV23.room_ids, state)))
    first = room(plan, SOUTH).iloc[0]
    assert first["shade_position"] == 1
    assert first["reason"].startswith("lowered since 08:30: the sun is on the south facade until ")


def test_a_shade_that_just_moved_stays_although_another_position_is_wanted():
    inputs = cases.inputs(TMV23, at("2026-06-16T10:00"), mean=20, temperature=24)
    state = ShadeState(0.0, since=at("2026-06-16T09:30"), moves_today=2)
    rows = room(make_plan(replace(inputs, shades=dict.fromkeys(TMV23.room_ids, state))), SOUTH)
    assert rows["shade_position"].head(3).tolist() == [0, 0, 1]
    assert rows["rule"].iloc[0] == Rule.HOLD


def test_a_shade_without_a_move_left_stays_up_until_midnight():
    inputs = cases.inputs(TMV23, at("2026-06-16T10:00"), mean=20, temperature=24)
    state = ShadeState(0.0, since=at("2026-06-16T06:00"), moves_today=5)
    plan = make_plan(replace(inputs, shades=dict.fromkeys(TMV23.room_ids, state)))
    assert not any(text.startswith("Tue") for text in closed_times(plan, SOUTH))
    assert any(text.startswith("Wed") for text in closed_times(plan, SOUTH))


def test_a_plan_begins_on_a_quarter_of_an_hour_with_a_zone():
    for moment in (datetime(2026, 6, 16), at("2026-06-16T04:07")):  # noqa: DTZ001
        with pytest.raises(ValueError, match="quarter of an hour"):
            PlanInputs(site=TMV23, as_of=moment)


def test_the_second_site_gets_a_plan_by_its_own_facts():
    site = load_site("ou44")
    plan = make_plan(cases.inputs(site, at("2017-04-05T04:00"), mean=9))
    assert set(plan["room"]) == set(site.room_ids)
    assert plan["reason"].str.contains("outer facade").any()
