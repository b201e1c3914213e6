"""A long range planned in parts: the same plans as in one, wherever the parts meet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.control import course
from esus_pipeline.control.course import LEAST_DAYS, Standing, commands_before, parts, plan_days, stored_standing
from esus_pipeline.control.stored import read_stored
from esus_pipeline.frames import (
    DECISION_TRACE,
    OCCUPANCY_FORECAST,
    OPTIMAL_PLAN,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.readings import room_frame
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases

MIDNIGHT = datetime(2026, 6, 15, tzinfo=UTC)
DAYS = [[MIDNIGHT + timedelta(days=day) + step * STEP for step in range(1, 97)] for day in range(3)]
SITE = load_site("tmv23")


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_parts_are_the_range_and_none_has_much_more_to_do(most):
    for length in range(1, 40):
        days = [[MIDNIGHT + timedelta(days=day)] for day in range(length)]
        found = parts(days, most)
        assert list(chain(*found)) == days
        assert len(found) <= max(1, min(most, length // LEAST_DAYS))
        assert len(found[0]) <= -(-(length + len(found)) // len(found)) + 1
        assert all(len(part) < len(found[0]) for part in found[1:])


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """Days of which nothing is known, planned on so many cores: their tables, and how many parts were planned here."""
    monkeypatch.setattr(course, "LEAST_DAYS", 1)

    def plan(cores: int) -> tuple[list[pd.DataFrame], int]:
        calls, archive, whole = [], Archive(tmp_path / str(cores)), course._planned
        monkeypatch.setattr(course.os, "cpu_count", lambda: cores)
        monkeypatch.setattr(course, "_planned", lambda *given: calls.append(given) or whole(*given))
        plan_days(SITE, archive, DAYS)
        monkeypatch.setattr(course, "_planned", whole)
        tables = (SHADE_SETPOINT_SCHEDULE, OCCUPANCY_FORECAST, OPTIMAL_PLAN, DECISION_TRACE)
        return [archive.read(frame).sort_values(list(frame.key), ignore_index=True) for frame in tables], len(calls)

    return plan


def test_two_parts_are_planned_as_one_and_a_part_that_began_elsewhere_again(planned, monkeypatch):
    whole, once = planned(1)
    halves, also_once = planned(2)
    monkeypatch.setattr(Standing, "same", lambda *_: False)
    mended, twice = planned(2)
    assert [once, also_once, twice] == [1, 1, 2]  # a part in another process is not counted
    for one, two, three in zip(whole, halves, mended, strict=True):
        pd.testing.assert_frame_equal(one, two)
        pd.testing.assert_frame_equal(one, three)


def test_the_next_plan_is_told_the_setpoints_that_are_in_force(tmp_path):
    archive, noon = Archive(tmp_path), MIDNIGHT + timedelta(hours=12)
    plan_days(SITE, archive, [[noon - 2 * STEP, noon - STEP]])
    inputs = read_stored(SITE, archive, [noon]).inputs(noon, commands_before(archive, noon))
    assert inputs.told == dict.fromkeys(SITE.room_ids, 20.0)
    later = noon + 2 * STEP
    assert read_stored(SITE, archive, [later]).inputs(later, commands_before(archive, later)).told == {}


def test_what_a_plan_takes_from_those_before_it_is_the_same_from_memory_and_from_the_archive(tmp_path):
    archive, quarters = Archive(tmp_path), DAYS[0][:6]
    ended = plan_days(SITE, archive, [quarters]).ended
    stored = stored_standing(SITE, archive, quarters[-1] + STEP)
    assert stored.optimum is not None
    assert len(stored.commanded) == len(quarters) * len(SITE.rooms)
    assert stored.same(ended, SITE.room_ids)
    assert not stored.same(replace(ended, people=ended.people + 1), SITE.room_ids)


def test_a_reading_that_is_missing_on_the_hour_leaves_live_plans_equal_to_those_made_at_once(tmp_path):
    live, whole = Archive(tmp_path / "live"), Archive(tmp_path / "whole")
    noon = MIDNIGHT + timedelta(hours=12)
    quarters = [noon + step * STEP for step in range(4)]
    for archive in (live, whole):
        archive.merge(WEATHER_FORECAST, cases.weather(SITE, noon - STEP))
        archive.merge(SOLAR_GAIN, cases.gains(SITE, noon - STEP))
        archive.merge(room_frame(SITE), readings(quarters, missing=noon - STEP))
    for quarter in quarters:
        plan_days(SITE, live, [[quarter]])
    assert plan_days(SITE, whole, [quarters]).optima == 2
    for frame in (SHADE_SETPOINT_SCHEDULE, OCCUPANCY_FORECAST, OPTIMAL_PLAN, DECISION_TRACE):
        one, other = (archive.read(frame).sort_values(list(frame.key), ignore_index=True) for archive in (live, whole))
        pd.testing.assert_frame_equal(one, other)
    for frame in (OPTIMAL_PLAN, OCCUPANCY_FORECAST):
        assert set(whole.read(frame)["issued_at"]) == {pd.Timestamp(noon), pd.Timestamp(noon + STEP)}


def test_a_plan_within_the_hour_counts_on_the_people_that_were_foretold_with_its_optimum(tmp_path):
    archive, noon = Archive(tmp_path), MIDNIGHT + timedelta(hours=12)
    archive.merge(WEATHER_FORECAST, cases.weather(SITE, noon - STEP))
    archive.merge(SOLAR_GAIN, cases.gains(SITE, noon - STEP))
    archive.merge(room_frame(SITE), readings([noon, noon + STEP], missing=MIDNIGHT))

    def warmest(people: pd.DataFrame) -> float:
        archive.merge(OCCUPANCY_FORECAST, people)
        return plan_days(SITE, archive, [[noon + STEP]]).last.schedule["predicted_temperature"].max()

    plan_days(SITE, archive, [[noon]])
    foretold = archive.read(OCCUPANCY_FORECAST)
    other = foretold.assign(issued_at=noon - timedelta(hours=1), people=0.0)
    assert warmest(foretold) == warmest(other) < warmest(foretold.assign(people=9.0)) - 0.5


def readings(quarters: list[datetime], missing: datetime) -> pd.DataFrame:
    """24 degC and nobody in any room in the windows before `quarters`; no temperature in that of `missing`."""
    windows = [quarter - STEP for quarter in quarters]
    rows = pd.MultiIndex.from_product([SITE.room_ids, windows], names=["room", "timestamp"]).to_frame(index=False)
    values = dict.fromkeys(room_frame(SITE).schema.names, float("nan")) | {name: rows[name] for name in rows}
    return pd.DataFrame(values).assign(air_temperature=(rows["timestamp"] != missing).map({True: 24.0}), occupancy=0.0)


def test_another_command_another_optimum_or_another_model_is_another_standing():
    commanded = pd.DataFrame({"room": ["1.213", "1.215"], "shade_position": [0.0, 1.0]})
    began = Standing(commanded, None, {})
    assert began.same(Standing(commanded.copy(), None, {}), SITE.room_ids)
    assert not began.same(replace(began, commanded=commanded.assign(shade_position=0.0)), SITE.room_ids)
