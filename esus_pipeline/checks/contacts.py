"""Does a window contact say what the temperature of its room says? From the room table of the last days.

Belongs here: contacts that say the same all the time while the air contradicts them. One contradiction is chance (a
door, a gust, a fan that starts), so a closed contact needs several. Where it is not much colder outside than in the
room, an open window does nothing that a thermometer could see, and nothing is judged.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.checks.verdict import MOST_WORST, Level, Verdict
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
    rows: list[dict[str, str | int]] = []
    for point in contacts:
        table = tables.get(str(point.room))
        if table is None or table[CONTACT].isna().all():
            continue
        known += 1
        note = _contradiction(site, table, outdoor, point.id in opened)
        if note:
            silenced = f"known dead: {dead[point.id]}" if point.id in dead else ""
            rows.append({"subject": _name(point), "windows": 0, "note": note, "silenced": silenced})
    wrong = sum(not row["silenced"] for row in rows)
    rows.sort(key=lambda row: row["silenced"] != "")
    return Verdict(
        passed=not wrong,
        level=Level.WARNING,
        summary=f"The temperature of the room contradicts {wrong} of {known} window contacts.",
        advice=_ADVICE if wrong else "",
        worst=tuple(rows[:MOST_WORST]),
        worst_in_all=len(rows),
        numbers={"contacts": len(contacts), "contacts_with_a_state": known, "contradicted": wrong},
    )


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


def _contradiction(site: Site, table: pd.DataFrame, outdoor: "pd.Series[float]", opened: bool) -> str:
    """What the air of one room says against its contact; empty for nothing."""
    grid = pd.date_range(table.index[0], table.index[-1], freq=STEP)
    air, state = table["air_temperature"].reindex(grid), table[CONTACT].reindex(grid)
    excess = air - outdoor.reindex(grid)
    if not opened and not (state > 0).any():
        losses = _losses(air, excess)
        if len(losses) >= OCCASIONS:
            times = ", ".join(f"{moment.tz_convert(site.zone):%a %H:%M}" for moment in losses[-OCCASIONS:])
            return f"never said open; the room cooled like an open window {len(losses)} times, last {times}"
        return ""
    last = int(HELD / STEP)
    warm = air.iloc[-last:].min(skipna=False) >= site.comfort.occupied.low
    cold = excess.iloc[-last:].min(skipna=False) >= MUCH_COLDER
    if len(grid) >= last and (state.iloc[-last:] > 0).all() and warm and cold:
        return (
            f"has said open for {HELD / timedelta(hours=1):.0f} h and more; the room stayed above "
            f"{air.iloc[-last:].min():.1f} degC with {excess.iloc[-last:].min():.0f} K less outside"
        )
    return ""


def _losses(air: "pd.Series[float]", excess: "pd.Series[float]") -> list[pd.Timestamp]:
    """When the room lost more of its warmth than a closed one does, each APART from the one before."""
    steps = int(COOLED / STEP)
    before = excess.shift(steps)
    fast = (before >= COLDER) & (air.shift(steps) - air >= COOLING * before)
    losses: list[pd.Timestamp] = []
    for moment in air.index[np.flatnonzero(fast)]:
        if not losses or moment - losses[-1] >= APART:
            losses.append(moment)
    return losses
