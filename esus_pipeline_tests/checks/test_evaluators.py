"""What the checks say of tables with known faults: pure functions, no Dagster."""

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline import checks
from esus_pipeline.checks import listing
from esus_pipeline.checks.plan import BLIND, INCOMPLETE, NUMBERS, UNSAFE, WIND
from esus_pipeline.checks.plot import verdict_plot
from esus_pipeline.checks.verdict import MOST_WORST
from esus_pipeline.control import PlanInputs, make_plan
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.quality import SURE
from esus_pipeline.site import Point, Site, load_site
from esus_pipeline.site.alerting import Alerting
from esus_pipeline.weather import Issues

SITE = load_site("tmv23")
DAY = datetime(2026, 6, 21, tzinfo=UTC)
WINDOWS = pd.date_range(DAY, periods=96, freq=STEP, unit="us")
ENDS = [DAY + step * STEP for step in range(1, 5)]


def with_dead(*points: int) -> Site:
    alerts = Alerting.model_validate({"known_dead": [{"points": points, "reason": "broken since May"}]})
    return SITE.model_copy(update={"alerts": alerts})


def regular(quantity: str, room: str | None = None) -> list[Point]:
    return [point for point in SITE.points if point.quantity == quantity and room in (None, point.room)]


# --- completeness


def full_rooms() -> pd.DataFrame:
    quantities = sorted({point.quantity for point in SITE.points})
    rooms = [*SITE.room_ids, BUILDING]
    index = pd.MultiIndex.from_product([rooms, WINDOWS], names=["room", "timestamp"])
    return pd.DataFrame(1.0, index=index, columns=quantities).reset_index()


def completeness(site: Site, rooms: pd.DataFrame) -> checks.Verdict:
    return checks.verdict(checks.COMPLETENESS, [checks.judge_completeness(site, rooms, DAY, DAY + timedelta(days=1))])


def test_a_full_table_is_complete_and_a_missing_one_is_not():
    assert completeness(SITE, full_rooms()).passed
    nothing = completeness(SITE, full_rooms()[:0])
    assert (nothing.passed, nothing.level, nothing.numbers["windows_failed"]) == (False, checks.Level.ERROR, 96)


def test_the_windows_and_the_cells_without_values_are_named_the_worst_first():
    rooms = full_rooms()
    night = (rooms["timestamp"] >= WINDOWS[8]) & (rooms["timestamp"] < WINDOWS[16])
    rooms.loc[night, ["air_temperature", "co2", "illuminance"]] = np.nan
    rooms.loc[(rooms["room"] == "1.213") & (rooms["timestamp"] == WINDOWS[50]), "co2"] = np.nan
    verdict = completeness(SITE, rooms)
    assert not verdict.passed
    assert list(verdict.failed_windows) == list(WINDOWS[8:16])
    assert verdict.worst[0] == {
        "subject": "co2 of 1.213",
        "windows": 9,
        "note": "no value young enough",
        "silenced": "",
    }
    assert "8 of 96 windows failed" in verdict.summary
    assert verdict.advice


def test_a_setpoint_that_nobody_changed_and_a_point_known_to_be_dead_do_not_count_but_the_dead_one_is_named():
    rooms = full_rooms()
    quiet = {point.quantity for point in SITE.points if point.silent_by_nature}
    rooms[sorted(quiet - {point.quantity for point in SITE.points if not point.silent_by_nature})] = np.nan
    assert completeness(SITE, rooms).passed
    rooms["co2"] = np.nan
    assert not completeness(SITE, rooms).passed
    dead = completeness(with_dead(*(point.id for point in regular("co2"))), rooms)
    assert dead.passed
    assert {record["silenced"] for record in dead.worst} == {"known dead: broken since May"}


# --- plausibility, points, controllers


def test_flagged_readings_fail_the_window_that_they_are_in_and_name_their_sensor():
    [sensor, other] = regular("air_temperature", "1.213")
    stamps = pd.date_range(DAY, periods=96 * 15, freq="1min", unit="us")
    series = pd.DataFrame({"point_id": sensor.id, "timestamp": stamps, "quality": "good"})
    series.loc[30:32, "quality"] = "out_of_range"

    def judge(site: Site) -> checks.Verdict:
        day = checks.judge_plausibility(site, series, DAY, DAY + timedelta(days=1))
        return checks.verdict(checks.PLAUSIBILITY, [day])

    verdict = judge(SITE)
    assert list(verdict.failed_windows) == [WINDOWS[2]]
    assert verdict.worst == (
        {"subject": f"air_temperature of 1.213 ({sensor.id})", "windows": 1, "note": "3 out_of_range", "silenced": ""},
    )
    assert judge(with_dead(sensor.id)).passed
    assert not judge(with_dead(other.id)).passed


def states(**state: str) -> pd.DataFrame:
    rows = [
        {
            "window": window,
            "point_id": point.id,
            "room": point.room,
            "quantity": point.quantity,
            "controller": point.controller,
            "state": state.get(point.quantity, "silent_by_nature" if point.silent_by_nature else "current"),
            "since": pd.Timestamp(DAY - timedelta(hours=9)),
            "age_minutes": 25.0,
            "bound_minutes": 60.0,
            "controller_late_minutes": 20.0,
            "controller_bound_minutes": 60.0,
        }
        for window in WINDOWS[:4]
        for point in SITE.points
    ]
    return pd.DataFrame(rows)


def points(site: Site, table: pd.DataFrame) -> checks.Verdict:
    return checks.verdict(checks.POINTS, [checks.judge_points(site, table)])


@pytest.mark.parametrize("state", ["late", "missing", "never_reported", "stuck", "implausible"])
def test_points_in_a_bad_state_are_named_up_to_fifty_and_all_of_them_counted(state):
    bad = ("air_temperature", "co2", "damper_position", "illuminance", "occupancy", "radiator_valve")
    verdict = points(SITE, states(**dict.fromkeys(bad, state)))
    assert not verdict.passed
    assert verdict.worst_in_all == sum(point.quantity in bad for point in SITE.points) > 40
    assert len(verdict.worst) <= MOST_WORST
    told = f"{state.replace('_', ' ')} since 2026-06-20 15:00 UTC, {SURE[state]} ("
    assert all(record["note"].startswith(told) and not record["silenced"] for record in verdict.worst)


def test_quiet_switches_and_a_dead_point_fail_nothing():
    quiet = points(SITE, states())
    assert (quiet.passed, quiet.worst) == (True, ())
    table = states(co2="missing", air_temperature="missing")
    assert not points(SITE, table).passed
    dead = points(with_dead(*(point.id for name in ("co2", "air_temperature") for point in regular(name))), table)
    assert dead.passed
    assert len(dead.worst) == 24


def test_the_share_is_of_the_points_that_can_be_judged():
    able = [point for point in SITE.points if not point.silent_by_nature]
    table = states()
    table.loc[table["point_id"].isin([point.id for point in able[:3]]), "state"] = "missing"
    verdict = points(SITE, table)
    assert verdict.numbers["worst_value"] == pytest.approx(100 * 3 / len(able), abs=0.001)
    assert not verdict.passed  # of all points, they would be less than two in a hundred


def test_a_window_in_which_no_point_can_be_judged_has_no_value():
    verdict = points(SITE, states().assign(state="silent_by_nature"))
    assert verdict.numbers["windows_without_data"] == 4
    assert verdict.passed


def controllers(site: Site, table: pd.DataFrame) -> checks.Verdict:
    return checks.verdict(checks.CONTROLLERS, [checks.judge_controllers(site, table)])


def test_a_controller_is_judged_by_its_own_lateness_and_a_lost_one_is_an_error():
    def judge(minutes: float) -> checks.Verdict:
        table = states()
        first = table["controller"] == table["controller"].iloc[0]
        table.loc[first & (table["window"] == WINDOWS[3]), "controller_late_minutes"] = minutes
        return controllers(SITE, table)

    assert judge(59.0).passed
    late, lost = judge(90.0), judge(700.0)
    assert (late.passed, late.level, lost.level) == (False, checks.Level.WARNING, checks.Level.ERROR)
    assert list(late.failed_windows) == [WINDOWS[3]]
    assert str(late.worst[0]["note"]) == "up to 90 min late, normal is 60 min"


def test_a_late_controller_names_the_points_that_may_be_out_instead():
    table = states()
    first = (table["controller"] == table["controller"].iloc[0]) & (table["window"] == WINDOWS[3])
    judged = table[first & (table["state"] == "current")].index
    table.loc[first, ["controller_late_minutes", "bound_minutes"]] = [90.0, 200.0]
    table.loc[judged[:2], ["age_minutes", "bound_minutes"]] = [95.0, 30.0]
    names = ", ".join(str(table.loc[each, "point_id"]) for each in judged[:2])
    [told] = controllers(SITE, table).worst
    assert told["note"] == f"up to 90 min late, normal is 60 min; or only of its points {names}"
    table.loc[judged, ["age_minutes", "bound_minutes"]] = [95.0, 30.0]
    assert "or only" not in str(controllers(SITE, table).worst[0]["note"])


def unheard() -> tuple[pd.DataFrame, list[int]]:
    """States while the first controller has delivered nothing, and its points."""
    table = states()
    first = table["controller"] == table["controller"].iloc[0]
    table.loc[first, "controller_late_minutes"] = np.nan
    table.loc[first & (table["state"] == "current"), "state"] = "never_reported"
    return table, sorted(table.loc[first, "point_id"].unique())


def test_a_controller_that_never_delivered_is_an_error_and_a_dead_one_is_not_judged():
    table, ids = unheard()
    verdict = controllers(SITE, table)
    assert (verdict.passed, verdict.level, len(verdict.failed_windows)) == (False, checks.Level.ERROR, 4)
    assert verdict.worst[0]["note"] == "nothing of it was ever received, normal is 60 min"
    assert not controllers(with_dead(*ids[:1]), table).passed
    assert controllers(with_dead(*ids), table).passed


def test_a_late_controller_whose_points_are_all_known_to_be_dead_fails_nothing():
    table, ids = unheard()
    late = table.assign(controller_late_minutes=table["controller_late_minutes"].fillna(900.0))
    assert not controllers(SITE, late).passed
    assert controllers(with_dead(*ids), late).passed


def test_a_controller_of_switches_that_nobody_touched_is_not_late():
    table, _ = unheard()
    quiet = table.assign(state=table["state"].replace("never_reported", "silent_by_nature"))
    assert controllers(SITE, quiet).passed


def test_days_become_one_verdict_and_a_missing_day_is_nothing_to_judge():
    empty = checks.judge_points(SITE, states()[:0])
    bad = checks.judge_points(SITE, states(co2="missing"))
    verdict = checks.verdict(checks.POINTS, [empty, bad, bad])
    assert verdict.numbers["windows"] == 8
    assert verdict.worst[0]["windows"] == 8
    assert checks.verdict(checks.POINTS, [empty]).summary == "There is nothing to judge."
    assert controllers(SITE, states()[:0]).summary == "There is nothing to judge."


# --- freshness and drift


@pytest.mark.parametrize(
    ("minutes", "passed", "level"), [(20, True, "warning"), (100, False, "warning"), (600, False, "error")]
)
def test_freshness_looks_at_the_newest_reading_and_not_at_the_run(minutes, passed, level):
    heard = pd.date_range(end=DAY - timedelta(minutes=minutes), periods=20, freq="1h", unit="us")
    readings = pd.DataFrame({"point_id": SITE.points[0].id, "timestamp": heard})
    verdict = checks.freshness(SITE, readings, DAY)
    assert (verdict.passed, verdict.level) == (passed, level)
    assert "old at 2026-06-21 00:00 UTC, expected at most 60 min" in verdict.summary
    assert verdict.worst[0]["note"] == "newest reading more than 2 days old"
    plot = verdict_plot(SITE, verdict)
    assert plot.count('class="failed"') == (0 if passed else math.ceil((minutes - 60) / 15))
    assert passed is (plot == "")
    nothing = checks.freshness(SITE, readings[:0], DAY)
    assert (nothing.passed, verdict_plot(SITE, nothing)) == (False, "")


def listed(site: Site = SITE, extra: dict[int, str] | None = None) -> pd.DataFrame:
    paths = {point.id: point.path for point in site.points} | (extra or {})
    return pd.DataFrame({"point_id": list(paths), "path": list(paths.values())})


def test_drift_tells_renamed_vanished_and_new_points_apart_and_finds_a_log_that_was_made_anew():
    first = checks.Listing.begun(listed(extra={9: "/other/building"}), DAY)
    assert checks.drift(SITE, first, DAY).passed
    one, two = SITE.points[0], SITE.points[1]
    answer = listed(extra={one.id: "/moved/elsewhere", 9: "/other/building", 10: two.path, 11: "/brand/new"})
    later = first.updated(answer[answer["point_id"] != two.id], DAY + timedelta(days=1))
    verdict = checks.drift(SITE, later, DAY + timedelta(days=1))
    assert not verdict.passed
    assert {name: verdict.numbers[name] for name in ("vanished", "renamed", "new")} == {
        "vanished": 1,
        "renamed": 1,
        "new": 2,
    }
    notes = [str(record["note"]) for record in verdict.worst]
    assert f"renamed from {one.path} to /moved/elsewhere" in notes
    assert "vanished; its path has the id 10 now" in notes
    assert "new: /brand/new" in notes
    assert checks.drift(with_dead(two.id), later, DAY).numbers["vanished"] == 0
    news = checks.drift(SITE, later, DAY + timedelta(days=9)).numbers["new"]
    assert news == 0


def test_the_building_is_asked_for_its_list_every_few_hours_and_the_list_survives_on_disk(tmp_path):
    asked = []

    def ask() -> pd.DataFrame:
        asked.append(1)
        return listed(extra={5: "/added"} if len(asked) > 1 else None)

    path = tmp_path / "bms" / "points.json"
    listing.current(path, ask, DAY)
    listing.current(path, ask, DAY + timedelta(hours=5))
    assert len(asked) == 1
    second = listing.current(path, ask, DAY + timedelta(hours=7))
    assert checks.drift(SITE, second, DAY + timedelta(hours=7)).numbers["new"] == 1
    path.write_text("{")
    assert listing.current(path, ask, DAY + timedelta(hours=8)).asked_at == DAY + timedelta(hours=8)
    assert len(asked) == 3


def test_a_building_that_gives_no_list_is_judged_by_the_last_one_which_is_said_to_be_old(tmp_path):
    path = tmp_path / "points.json"
    assert checks.drift(SITE, listing.current(path, lambda: None, DAY), DAY).passed
    listing.current(path, lambda: listed()[1:], DAY)
    later = DAY + timedelta(hours=9)
    verdict = checks.drift(SITE, listing.current(path, lambda: None, later), later)
    assert verdict.summary.startswith("1 points vanished")
    assert "gave no list when it was asked; this one is of 2026-06-21 00:00 UTC" in verdict.summary
    assert not verdict.passed
    again = listing.current(path, listed, later)
    assert "no list" not in checks.drift(SITE, again, later).summary


# --- forecasts


def forecast(issued_at: datetime, hours: int = 60, **values: float) -> pd.DataFrame:
    """A calm night for ever: no sun, which is weather at any time."""
    times = pd.date_range(issued_at - timedelta(hours=1), periods=4 * hours, freq=STEP, unit="us")
    given = {"ghi": 0.0, "dni": 0.0, "dhi": 0.0, "temp_air": 12.0, "wind_speed": 3.0, "wind_gust": 5.0}
    return pd.DataFrame({"valid_time": times, **(given | {"cloud_cover": 50.0} | values)}).assign(
        issued_at=pd.Timestamp(issued_at), interval_minutes=15, source="open-meteo", kind="forecast"
    )


def test_the_age_of_the_forecast_is_that_of_the_one_that_the_plan_of_the_window_would_use():
    issues = Issues(forecast(ENDS[0] - timedelta(hours=5, minutes=40)))
    verdict = checks.verdict(checks.FORECAST_AGE, [checks.judge_forecast_age(issues, ENDS)])
    assert (verdict.passed, verdict.level) == (False, checks.Level.ERROR)
    assert [window + STEP for window in verdict.failed_windows] == ENDS[2:]
    none = checks.verdict(checks.FORECAST_AGE, [checks.judge_forecast_age(Issues(forecast(DAY)[:0]), ENDS)])
    assert none.numbers["windows_failed"] == 4


@pytest.mark.parametrize(
    ("issue", "said"),
    [
        (forecast(DAY), ""),
        (forecast(DAY, temp_air=80.0), "out_of_bounds"),
        (forecast(DAY, ghi=-20.0), "out_of_bounds"),
        (forecast(DAY, temp_air=float("nan")), "missing_values"),
        (forecast(DAY, hours=20), "ends before the plan does"),
    ],
)
def test_a_stored_forecast_that_is_no_weather_or_ends_early_is_named(issue, said):
    verdict = checks.verdict(checks.FORECAST_VALUES, [checks.judge_forecast_values(SITE, Issues(issue), ENDS)])
    assert verdict.passed is (said == "")
    assert not said or said in str(verdict.worst[0]["subject"])


# --- the plan


def plan(as_of: datetime = ENDS[0], site: Site = SITE) -> pd.DataFrame:
    return make_plan(PlanInputs(site=site, as_of=as_of))


def faults(plans: pd.DataFrame, issue: pd.DataFrame, site: Site = SITE, ends: tuple[datetime, ...] = (ENDS[0],)):
    return checks.plan_faults(site, plans, Issues(issue), ends).get(ends[0], [])


CALM = forecast(DAY - timedelta(hours=1))


def lowered(rows: slice, rule: str = "close_before_sun") -> pd.DataFrame:
    table = plan().assign(rule="open_no_sun")
    table.loc[table.index[rows], ["shade_position", "rule"]] = [1.0, rule]
    return table


def test_the_safe_plan_and_a_plan_with_a_good_reason_may_leave_the_house():
    assert faults(plan(), CALM[:0]) == []
    assert faults(lowered(slice(10, 20)), CALM) == []


BROKEN = {
    "a row short": (plan()[:-1], INCOMPLETE),
    "a row twice": (pd.concat([plan(), plan()[:1]]), INCOMPLETE),
    "a room short": (plan()[lambda table: table["room"] != "1.213"], INCOMPLETE),
    "a strange room": (plan().assign(room=lambda table: table["room"].replace("1.213", "x")), INCOMPLETE),
    "shifted by a minute": (
        plan().assign(valid_time=lambda table: table["valid_time"] + timedelta(minutes=1)),
        INCOMPLETE,
    ),
    "position beyond 1": (lowered(slice(0, 1)).assign(shade_position=1.2), NUMBERS),
    "position not a number": (plan().assign(shade_position=float("nan")), NUMBERS),
    "setpoint not finite": (plan().assign(cooling_setpoint=float("inf")), NUMBERS),
    "heating above cooling": (plan().assign(heating_setpoint=27.0, cooling_setpoint=25.0), NUMBERS),
    "lowered without a forecast rule": (lowered(slice(0, 1), "stale_forecast"), UNSAFE),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plan_may_not(name):
    broken, fault = BROKEN[name]
    assert fault in faults(broken, CALM)


def test_without_a_young_forecast_or_in_strong_wind_only_the_safe_plan_may():
    assert faults(lowered(slice(5, 6)), CALM[:0]) == [BLIND]
    assert faults(lowered(slice(5, 6)), forecast(DAY - timedelta(hours=7))) == [BLIND]
    storm = CALM.copy()
    storm.loc[storm["valid_time"] == pd.Timestamp(ENDS[0] + 15 * STEP), "wind_gust"] = (
        SITE.wind.retract_above * SITE.wind.gust_factor + 0.1
    )
    assert faults(lowered(slice(15, 16)), storm) == [WIND]
    assert faults(lowered(slice(16, 17)), storm) == []
    storm["wind_gust"] = np.nan  # a source without gusts: the mean wind stands in
    storm["wind_speed"] = SITE.wind.retract_above + 0.1
    assert faults(lowered(slice(16, 17)), storm) == [WIND]
    assert faults(lowered(slice(0, 12)), storm) == []  # what is measured counts more, and is not known here


def test_a_window_without_a_plan_fails_and_its_neighbours_do_not():
    plans = pd.concat([plan(as_of) for as_of in (ENDS[0], ENDS[2])])
    verdict = checks.verdict(checks.PUBLISHABLE, [checks.judge_plans(SITE, plans, Issues(CALM[:0]), ENDS[:3])])
    assert [window + STEP for window in verdict.failed_windows] == [ENDS[1]]
    assert verdict.level is checks.Level.ERROR


# --- the picture


def test_the_picture_shows_a_month_small_and_holds_no_foreign_address():
    days = [
        checks.judge_completeness(SITE, full_rooms()[:0], DAY + timedelta(days=n), DAY + timedelta(days=n + 1))
        for n in range(30)
    ]
    picture = verdict_plot(SITE, checks.verdict(checks.COMPLETENESS, days))
    assert len(picture) < 120_000
    assert re.findall(r'(?:href|src)="', picture) == []
    assert picture.count('class="failed"') > 500
    single = checks.verdict(checks.COMPLETENESS, [checks.judge_completeness(SITE, full_rooms()[:0], DAY, DAY + STEP)])
    assert verdict_plot(SITE, single) == ""
