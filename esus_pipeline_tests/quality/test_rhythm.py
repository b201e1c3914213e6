"""What is learned of a point's silences, also from a history with outages in it, and how late a controller may be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.instants import microseconds
from esus_pipeline.quality import bounds, learn, learn_lateness
from esus_pipeline.quality.week import KINDS, kind_at
from esus_pipeline.site import load_site
from esus_pipeline.site.point import Point
from esus_pipeline_tests.score.worlds import with_points

START = pd.Timestamp("2026-03-02", tz="UTC")
END = datetime(2026, 3, 30, tzinfo=UTC)


def site_of(*quantities: tuple[str, str, str]):
    points = [
        Point(id=k, path=f"/A/{k}", room=None, quantity=quantity, unit=unit, role=role)
        for k, (quantity, unit, role) in enumerate(quantities, start=1)
    ]
    return with_points(load_site("tmv23"), tuple(points))


def series(point: int, stamps: pd.DatetimeIndex) -> pd.DataFrame:
    value = 20 + np.arange(len(stamps)) % 7 / 10
    return pd.DataFrame({"point_id": point, "timestamp": stamps.as_unit("us"), "value": value, "quality": "good"})


def learned(site, *parts: pd.DataFrame) -> pd.DataFrame:
    return learn(site, pd.concat(parts, ignore_index=True), END).set_index("point_id")


TEMPERATURE = ("air_temperature", "degC", "measurement")
FIVE = pd.date_range(START, END, freq="5min", inclusive="left")


def test_a_steady_point_gets_the_least_bound_and_an_outage_in_its_history_teaches_nothing():
    hole = (START + timedelta(days=9) <= FIVE) & (START + timedelta(days=10) > FIVE)
    quarter = pd.date_range(START, END, freq="30min", inclusive="left")
    rows = learned(site_of(TEMPERATURE, TEMPERATURE), series(1, FIVE[~hole]), series(2, quarter))
    assert rows["kind"].tolist() == ["periodic", "periodic"]
    assert rows["bound_workday"].tolist() == [30, 60]


def test_a_point_that_sleeps_at_night_has_a_smaller_bound_by_day():
    day = (FIVE.hour >= 5) & (FIVE.hour < 19)
    night = FIVE[~day & (FIVE.minute == 0) & (FIVE.hour % 3 == 0)]
    [row] = learned(site_of(TEMPERATURE), series(1, FIVE[day].append(night).sort_values())).to_dict("records")
    assert row["bound_workday"] < 180 < row["bound_night"]
    assert row["bound_workday"] >= row["bound_weekend"]


def test_a_holiday_is_a_weekend_where_the_country_is_known():
    holy_thursday = microseconds(pd.DatetimeIndex(["2026-04-01 10:00Z", "2026-04-02 10:00Z", "2026-04-02 22:30Z"]))
    calendar = load_site("tmv23").calendar
    kinds = [KINDS[k] for k in kind_at(holy_thursday, calendar)]
    assert kinds == ["workday", "weekend", "weekend_night"]
    assert set(kind_at(holy_thursday[:2], replace(calendar, country=None))) == {KINDS.index("workday")}


def test_setpoints_are_silent_by_nature_and_a_short_history_falls_back_to_the_site():
    site = site_of(TEMPERATURE, ("heating_setpoint", "degC", "setpoint"), ("co2", "ppm", "measurement"))
    rows = learned(site, series(1, FIVE[:5]), series(2, FIVE))
    assert rows["kind"].tolist() == ["short", "silent", "short"]
    limits = bounds(site, rows.reset_index())
    assert limits.points[:, 0].tolist() == [7.2e9, np.inf, 7.2e9]
    calm, switch, fast = site.points
    own = with_points(site, (calm.model_copy(update={"max_silence": timedelta(hours=6)}), switch, fast))
    limits = bounds(own, learned(own, series(1, FIVE[:5]), series(2, FIVE)).reset_index())
    assert limits.points[:, 0].tolist() == [21.6e9, np.inf, 7.2e9]
    assert bounds(own, rows.reset_index()[:0]).points[0, 0] == 21.6e9


@pytest.mark.parametrize(("delay", "bound"), [(timedelta(0), 60), (timedelta(hours=3), 225)])
def test_a_controller_may_be_as_late_as_it_usually_is(delay, bound):
    site = site_of(*[TEMPERATURE] * 4)
    raw = pd.concat([series(k, FIVE) for k in range(1, 5)])
    often = raw["timestamp"].dt.day % 4 == 0
    seconds = often.astype(int) * delay.total_seconds()
    raw["received_at"] = raw["timestamp"].dt.ceil("15min") + pd.to_timedelta(seconds, unit="s").dt.as_unit("us")
    live = raw.iloc[::3].assign(point_id=9, received_at=lambda rows: rows["timestamp"].dt.ceil("15min"))
    known = with_points(
        site, (*site.points, Point(id=9, path="/B/9", room=None, quantity="co2", unit="ppm", role="meter"))
    )
    rows = learn_lateness(known, pd.concat([raw, live]), END, bounds(known)).set_index("controller")
    assert rows.loc["A", "bound_minutes"] == pytest.approx(bound, abs=25)
    assert rows.loc["A", "witnesses"] in (1, 2)


def test_the_lateness_of_two_sensors_among_old_setpoints_is_learned_and_not_taken_for_unknown():
    site = site_of(TEMPERATURE, TEMPERATURE, *[("heating_setpoint", "degC", "setpoint")] * 3, TEMPERATURE)
    raw = pd.concat([*(series(k, FIVE) for k in (1, 2)), *(series(k, FIVE[:1]) for k in (3, 4, 5))])
    seconds = (raw["timestamp"].dt.day % 4 == 0).astype(int) * 3 * 3600
    raw["received_at"] = raw["timestamp"].dt.ceil("15min") + pd.to_timedelta(seconds, unit="s").dt.as_unit("us")
    prompt = series(6, FIVE[::3]).assign(received_at=lambda rows: rows["timestamp"].dt.ceil("15min"))
    other = site.points[-1].model_copy(update={"path": "/B/6"})
    site = with_points(site, (*site.points[:-1], other))
    rows = learn_lateness(site, pd.concat([raw, prompt]), END, bounds(site)).set_index("controller")
    assert rows.loc["A", "polls"] > 1000
    assert rows.loc["A", "bound_minutes"] == pytest.approx(225, abs=25)
    assert rows.loc["A", "witnesses"] == 1
