"""Does a window contact say what the temperature of its room says? From the room table of the last days.

Belongs here: contacts that say the same all the time while the air contradicts them. One contradiction is chance (a
door, a gust, a fan that starts), so a closed contact needs several. Where it is not much colder outside than in the
room, an open window does nothing that a thermometer could see, and nothing is judged.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.checks.verdict import MOST_WORST, Level, Rule, Verdict
from esus_pipeline.frames import BUILDING, CLEAN_SERIES, STEP, WEATHER_FORECAST
from esus_pipeline.readings import Quality, Read, room_frame
from esus_pipeline.site import Point, Site
from esus_pipeline.weather import newest_by_time

CONTACT = "window_open"
LOOK_BACK = timedelta(days=7)
"""How long a contact that says closed is watched."""

COOLING = 0.05
"""A room that loses this share of its excess over the outdoor temperature within COOLED cools like an open window."""
COOLED = timedelta(minutes=30)
COLDER = 8.0
"""K that it must be colder outside for such a loss to tell anything."""
OCCASIONS = 3
"""So many losses, each APART from the one before, contradict a contact that never said open."""
APART = timedelta(hours=2)

HELD = timedelta(hours=12)
"""A contact that has said open for so long is contradicted by a room that was never below its comfort band, ..."""
MUCH_COLDER = 10.0
"""... though it was always so many K colder outside."""

_ADVICE = (
    "Look at the window and its contact. A contact that is stuck closed hides open windows from the plan, one that is "
    "stuck open switches heating and learning off; or the heating holds its own against a window that is really open. "
    "Contacts known not to work belong into alerts.known_dead of site.yaml."
)

_LOSSES = Rule(
    measure=f"share of its warmth that a room lost in {COOLED / timedelta(minutes=1):.0f} min, its contact closed",
    unit="%",
    limit=100 * COOLING,
    at_least=False,
    advice=_ADVICE,
)
"""What the plot shows; the contacts themselves are judged by how often it happens."""


def judge_contacts(read: Read, site: Site, now: datetime) -> Verdict:
    """`window_contacts` of the stored tables; `read` has the signature of Archive.read."""
    since, frame = now - LOOK_BACK, room_frame(site)
    wanted = ("room", "timestamp", "air_temperature", "outdoor_temperature", CONTACT)
    rooms = read(frame, since, now, columns=[name for name in wanted if name in frame.schema.names])
    points = [point.id for point in contacts_of(site)]
    said = read(CLEAN_SERIES, since, now, point_id=points, quality=[Quality.GOOD])
    forecasts = read(WEATHER_FORECAST, since, now, columns=["issued_at", "valid_time", "temp_air"])
    return window_contacts(site, rooms, said, outdoor_temperature(rooms, forecasts), now)


def window_contacts(
    site: Site, rooms: pd.DataFrame, said: pd.DataFrame, outdoor: "pd.Series[float]", now: datetime
) -> Verdict:
    """Which contacts the temperature of their room contradicts.

    Args:
        site: the building.
        rooms: rows of frames.room_table (room, timestamp, air_temperature, window_open) of LOOK_BACK.
        said: readings of the contacts (point_id, value) in the same time, which show openings of minutes, too.
        outdoor: outdoor temperature, degC, by 15-minute step (UTC).
        now: the instant to judge at, for what is known dead.
    """
    contacts = contacts_of(site)
    opened = set(said.loc[said["value"] > 0, "point_id"])
    dead = site.alerts.dead(now.astimezone(site.zone).date())
    tables = {room: rows.set_index("timestamp").sort_index() for room, rows in rooms.groupby("room")}
    known = 0
    losses: list[pd.Series[float]] = []
    rows: list[dict[str, str | int]] = []
    for point in contacts:
        table = tables.get(str(point.room))
        if table is None or table[CONTACT].isna().all():
            continue
        known += 1
        course = _course(table, outdoor)
        never_open = point.id not in opened and not (course["open"] > 0).any()
        note = _contradicts_closed(site, course) if never_open else _contradicts_open(site, course)
        if note:
            silenced = f"known dead: {dead[point.id]}" if point.id in dead else ""
            rows.append({"subject": _name(point), "windows": 0, "note": note, "silenced": silenced})
            losses += [course["loss"]] if never_open and not silenced else []
    wrong = sum(not row["silenced"] for row in rows)
    rows.sort(key=lambda row: row["silenced"] != "")
    verdict = Verdict(
        passed=not wrong,
        level=Level.WARNING,
        summary=f"The temperature of the room contradicts {wrong} of {known} window contacts.",
        advice=_ADVICE if wrong else "",
        worst=tuple(rows[:MOST_WORST]),
        worst_in_all=len(rows),
        numbers={"contacts": len(contacts), "contacts_with_a_state": known, "contradicted": wrong},
    )
    return replace(verdict, rule=_LOSSES, windows=_hourly(losses)) if losses else verdict


def contacts_of(site: Site) -> list[Point]:
    """The window contacts of rooms."""
    return [point for point in site.points if point.quantity == CONTACT and point.room is not None]


def outdoor_temperature(rooms: pd.DataFrame, forecasts: pd.DataFrame) -> "pd.Series[float]":
    """Outdoor temperature, degC, by 15-minute step: what the building measures, else what the newest forecast says.

    `rooms` has the building's rows of the room table, `forecasts` issued_at, valid_time and temp_air of
    frames.WEATHER_FORECAST.
    """
    told = newest_by_time(forecasts).set_index("valid_time")["temp_air"]
    own = rooms[rooms["room"] == BUILDING].set_index("timestamp")
    return own["outdoor_temperature"].dropna().combine_first(told) if "outdoor_temperature" in own else told


def _name(point: Point) -> str:
    return f"{point.quantity} of {point.room} ({point.id})"


def _course(table: pd.DataFrame, outdoor: "pd.Series[float]") -> pd.DataFrame:
    """A room by 15-minute step: air (degC), open, excess over outdoors (K), and the share of it lost within COOLED."""
    grid, steps = pd.date_range(table.index[0], table.index[-1], freq=STEP), int(COOLED / STEP)
    air = table["air_temperature"].reindex(grid)
    excess = air - outdoor.reindex(grid)
    before = excess.shift(steps)
    loss = ((air.shift(steps) - air) / before).where(before >= COLDER)
    return pd.DataFrame({"air": air, "open": table[CONTACT].reindex(grid), "excess": excess, "loss": loss})


def _contradicts_closed(site: Site, course: pd.DataFrame) -> str:
    """What the air of a room says against a contact that never said open; empty for nothing."""
    losses = _losses(course["loss"])
    if len(losses) < OCCASIONS:
        return ""
    times = ", ".join(f"{moment.tz_convert(site.zone):%a %H:%M}" for moment in losses[-OCCASIONS:])
    return f"never said open; the room cooled like an open window {len(losses)} times, last {times}"


def _contradicts_open(site: Site, course: pd.DataFrame) -> str:
    """What the air of a room says against a contact that has said open for long; empty for nothing."""
    steps = int(HELD / STEP)
    last = course.iloc[-steps:]
    coolest, least = last["air"].min(skipna=False), last["excess"].min(skipna=False)
    warm, cold = coolest >= site.comfort.occupied.low, least >= MUCH_COLDER
    if len(last) == steps and (last["open"] > 0).all() and warm and cold:
        return (
            f"has said open for {HELD / timedelta(hours=1):.0f} h and more; the room stayed above "
            f"{coolest:.1f} degC with {least:.0f} K less outside"
        )
    return ""


def _losses(loss: "pd.Series[float]") -> list[pd.Timestamp]:
    """When the room lost more of its warmth than a closed one does, each APART from the one before."""
    losses: list[pd.Timestamp] = []
    for moment in loss.index[loss >= COOLING]:
        if not losses or moment - losses[-1] >= APART:
            losses.append(moment)
    return losses


def _hourly(losses: "list[pd.Series[float]]") -> pd.DataFrame:
    """The greatest loss of each hour in any of the rooms, as windows of _LOSSES."""
    greatest = pd.concat(losses, axis=1).max(axis=1).clip(lower=0).resample("1h").max() * 100
    return pd.DataFrame(
        {"window": greatest.index, "value": greatest.to_numpy(), "failed": _LOSSES.fails(greatest).to_numpy()}
    )
