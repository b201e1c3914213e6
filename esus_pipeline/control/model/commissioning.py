"""Which steps in empty hours would teach what the readings of daily use cannot.

A rule that closes shades when the sun shines never shows what an open shade lets in, so passive readings see about half
of the aperture. A weekend on which a group's shades go up and down every two hours of sun tells it; an evening at a
raised heating setpoint tells the radiators and the walls. Nothing here moves anything: it is a plan for a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby

import numpy as np
import pandas as pd

from esus_pipeline.control.groups import shade_groups
from esus_pipeline.control.model.occupancy import day_kinds
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

SUN = ("k_open", "k_shaded", "f_air")
"""What a shade that moves in the sun teaches."""
HEAT = ("k_heat", "t_radiator", "c_mass", "h_am", "c_air")
"""What a step of the heating setpoint teaches."""
BLOCK = timedelta(hours=2)
"""Between two moves of a shade; the dwell that its motor is allowed."""
RAISE = 2.0
"""K that the heating setpoint is raised by, within the comfort band of empty hours."""
LOW_SUN = 5.0
"""Degrees over the horizon from which the sun counts."""
NOTHING = "The readings tell everything that a step could teach; there is nothing to commission."


@dataclass(frozen=True)
class Step:
    """One thing to do: at `start` (local time), for `rooms` together, until the next step or `end`."""

    start: datetime
    end: datetime
    rooms: tuple[str, ...]
    what: str
    teaches: tuple[str, ...]


def commissioning_plan(site: Site, models: Mapping[str, RoomModel], today: date) -> list[Step]:
    """Steps on the next two free days for what is still unknown of the rooms, in the order of time.

    Args:
        site: the building.
        models: by room, as in force; a room without one has everything to learn.
        today: local date; the steps begin on a later day.
    """
    days = _free_days(site, today)
    steps: list[Step] = []
    for members in shade_groups(site):
        rooms = tuple(site.room_ids[member] for member in members)
        unknown = _unknown(rooms, models, SUN)
        if unknown:
            steps += _shade_steps(site, rooms, days, unknown)
    for room in site.rooms:
        unknown = _unknown((room.id,), models, HEAT)
        if unknown and room.heating_power:
            steps.append(_heat_step(site, room.id, days[0], unknown))
    return sorted(steps, key=lambda step: (step.start, step.rooms))


def _unknown(rooms: tuple[str, ...], models: Mapping[str, RoomModel], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if any(room not in models or name in models[room].unknown for room in rooms))


def _free_days(site: Site, today: date) -> list[date]:
    """The next two days on which nobody is expected."""
    noon = pd.DatetimeIndex([datetime.combine(today + timedelta(days=n), time(12), site.zone) for n in range(1, 15)])
    kinds = day_kinds(site, noon.tz_convert("UTC"))
    free = [moment.date() for moment, kind in zip(noon, kinds, strict=True) if kind not in site.occupancy.weekdays]
    return free[:2] or [today + timedelta(days=1)]


def _shade_steps(site: Site, rooms: tuple[str, ...], days: list[date], teaches: tuple[str, ...]) -> list[Step]:
    """Up and down by turns while the sun is on the group's facades; the second day begins the other way round."""
    steps = []
    for number, day in enumerate(days):
        lit = _sunlit(site, rooms, day)
        if lit is None:
            continue
        start, end = lit
        closed = bool(number % 2)
        while start + BLOCK / 2 < end:
            until = min(start + BLOCK, end)
            steps.append(Step(start, until, rooms, "shades closed" if closed else "shades open", teaches))
            start, closed = until, not closed
    return steps


def _sunlit(site: Site, rooms: tuple[str, ...], day: date) -> tuple[datetime, datetime] | None:
    """First and last local time of a day at which the sun stands before a facade of the rooms, to whole quarters."""
    from pvlib import irradiance, solarposition

    midnight = pd.Timestamp(datetime.combine(day, time(), site.zone))
    times = pd.date_range(midnight, midnight + pd.Timedelta(days=1), freq=STEP, inclusive="left")
    place = site.place
    sun = solarposition.get_solarposition(times, place.latitude, place.longitude, place.altitude)
    lit = np.zeros(len(times), dtype=bool)
    for room in rooms:
        for window in site.room(room).windows:
            facade = site.facades[window.facade]
            azimuth = facade.azimuth if window.azimuth is None else window.azimuth
            tilt = facade.tilt if window.tilt is None else window.tilt
            facing = irradiance.aoi_projection(tilt, azimuth, sun["apparent_zenith"], sun["azimuth"]).to_numpy()
            lit |= (facing > 0.1) & (sun["apparent_elevation"].to_numpy() > LOW_SUN)
    where = np.flatnonzero(lit)
    if not len(where):
        return None
    return times[where[0]].to_pydatetime(), times[where[-1]].to_pydatetime() + STEP


def _heat_step(site: Site, room: str, day: date, teaches: tuple[str, ...]) -> Step:
    """The evening before the first free day: nobody is there, the sun is gone, and it cools down until the morning."""
    start = datetime.combine(day - timedelta(days=1), time(20), site.zone)
    level = site.comfort.unoccupied.low + RAISE
    what = f"heating setpoint {level:g} degC, before and after it {site.comfort.unoccupied.low:g} degC"
    return Step(start, start + timedelta(hours=4), (room,), what, teaches)


def table(steps: list[Step]) -> str:
    """The plan as a Markdown table, a line per day, rooms and lesson: steps that take turns stand in one cell."""
    if not steps:
        return NOTHING
    lines = ["| day (local) | rooms | steps | teaches |", "|---" * 4 + "|"]
    ordered = sorted(steps, key=lambda step: (*_line(step), step.start))
    for (day, rooms, teaches), own in groupby(ordered, _line):
        told = "; ".join(f"{step.start:%H:%M}-{step.end:%H:%M} {step.what}" for step in own)
        lines.append(f"| {day:%a %Y-%m-%d} | {', '.join(rooms)} | {told} | {', '.join(teaches)} |")
    return "\n".join(lines)


def _line(step: Step) -> tuple[date, tuple[str, ...], tuple[str, ...]]:
    return step.start.date(), step.rooms, step.teaches


def words(steps: list[Step]) -> str:
    """The plan as a table for a person."""
    if not steps:
        return NOTHING
    lines = [
        f"{step.start:%a %Y-%m-%d %H:%M} - {step.end:%H:%M}  {', '.join(step.rooms):<24} {step.what}"
        f"  (teaches {', '.join(step.teaches)})"
        for step in steps
    ]
    return "\n".join(["Local time. Not on a windy day, and not while somebody is in the room.", *lines])
