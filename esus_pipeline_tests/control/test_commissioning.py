"""The commissioning plan: steps on free days, in the sun of each facade, for what is not known."""

import itertools
from dataclasses import replace
from datetime import date, timedelta

from esus_pipeline.control.model import RoomModel
from esus_pipeline.control.model.commissioning import commissioning_plan, table, words
from esus_pipeline.site import load_site

SITE = load_site("tmv23")
TODAY = date(2026, 3, 31)
"""A Tuesday; Thursday is the first day of the Easter holidays."""


def learned(*unknown: str) -> dict[str, RoomModel]:
    return {room: replace(RoomModel.from_site(SITE, room), unknown=unknown, version=1) for room in SITE.room_ids}


def test_shades_go_up_and_down_in_the_sun_of_their_facade_on_the_next_free_days():
    steps = commissioning_plan(SITE, learned("k_shaded"), TODAY)
    assert {step.start.date() for step in steps} == {date(2026, 4, 2), date(2026, 4, 3)}
    assert {step.rooms for step in steps} == {group.rooms for group in SITE.shade_groups.values()}
    east = [step for step in steps if "1.229" in step.rooms and step.start.date() == date(2026, 4, 2)]
    south = [step for step in steps if "1.213" in step.rooms and step.start.date() == date(2026, 4, 2)]
    assert max(step.end.hour for step in east) <= 14
    assert min(step.start.hour for step in south) >= 6
    for steps_of_a_day in (east, south):
        assert len(steps_of_a_day) >= 3
        whats = [step.what for step in steps_of_a_day]
        assert all(now != then for now, then in itertools.pairwise(whats))
        assert all(step.end - step.start >= timedelta(hours=1) for step in steps_of_a_day)
    tomorrow = next(step for step in steps if step.rooms == south[0].rooms and step.start.date() == date(2026, 4, 3))
    assert tomorrow.what != south[0].what


def test_unknown_radiators_ask_for_a_warm_evening_and_a_known_room_for_nothing():
    steps = commissioning_plan(SITE, learned("k_heat"), TODAY)
    assert [step.rooms for step in steps] == [(room,) for room in sorted(SITE.room_ids)]
    assert {(step.start.date(), step.start.hour) for step in steps} == {(date(2026, 4, 1), 20)}
    assert "19 degC" in steps[0].what
    assert commissioning_plan(SITE, learned(), TODAY) == []
    assert "nothing to commission" in words([])
    assert len(commissioning_plan(SITE, {}, TODAY)) > len(steps)


def test_the_table_has_a_line_for_each_day_group_and_lesson():
    lines = table(commissioning_plan(SITE, learned("k_shaded", "k_heat"), TODAY)).splitlines()[2:]
    assert len(lines) == 6 + 2 * 2
    south = next(line for line in lines if line.startswith("| Thu 2026-04-02 | 1.213, 1.215, 1.217 | "))
    assert south.endswith("| k_shaded |")
    assert south.count("shades open") >= 2
    assert "heating setpoint 19 degC" in lines[0]
    assert "nothing to commission" in table([])
