"""A plan's rows merged into stretches that say the same, with local times; used by words and pictures alike."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.site import Site


@dataclass(frozen=True)
class Stretch:
    """From `start` to `end`, local times of one day, a room's shade stands at `position` for one `reason`."""

    start: datetime
    end: datetime
    position: float
    rule: str
    reason: str

    @property
    def hours(self) -> str:
        """From when to when, in words."""
        return hours_words(self.start, self.end)

    @property
    def state(self) -> str:
        """The position in a word."""
        if 0 < self.position < 1:
            return f"{self.position:.0%}"
        return "closed" if self.position else "open"


def room_rows(plan: pd.DataFrame, room: str) -> pd.DataFrame:
    """The rows of one room in the order of time."""
    return plan[plan["room"] == room].sort_values("valid_time").reset_index(drop=True)


def stretches(rows: pd.DataFrame, site: Site) -> list[Stretch]:
    """The stretches of one room's rows, each within one local day; none where there are no rows."""
    local = [moment.to_pydatetime() for moment in pd.DatetimeIndex(rows["valid_time"]).tz_convert(site.zone)]
    what = zip(local, rows["shade_position"].astype(float), rows["rule"], rows["reason"], strict=True)
    found = []
    for (_, position, rule, reason), same in groupby(what, key=lambda row: (row[0].date(), *row[1:])):
        times = [row[0] for row in same]
        end = (times[-1].astimezone(UTC) + STEP).astimezone(site.zone)
        found.append(Stretch(times[0], end, position, rule, reason))
    return found


def setpoint_words(rows: pd.DataFrame) -> str:
    """Why the setpoints of one room's first row are what they are; empty where a plan does not tell."""
    told = rows["setpoint_reason"].iloc[0] if "setpoint_reason" in rows and len(rows) else None
    return told if isinstance(told, str) else ""


def facade_words(site: Site, room: str) -> str:
    """The facades of a room's windows in words, such as `south facade`."""
    names = list(dict.fromkeys(window.facade for window in site.room(room).windows))
    if not names:
        return "no window"
    return " and ".join(names) + (" facade" if len(names) == 1 else " facades")


def hours_words(start: datetime, end: datetime) -> str:
    """From when to when in local clock time, such as `18:00-24:00`."""
    return f"{start:%H:%M}-{'24:00' if end.hour == end.minute == 0 else f'{end:%H:%M}'}"


def day_words(moment: datetime) -> str:
    """A date for a person, such as `Tue 16 June`; English whatever the locale."""
    return f"{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]}"


def day_clock(moment: datetime) -> str:
    """A weekday and clock time, such as `Tue 08:30`."""
    return f"{WEEKDAYS[moment.weekday()]} {moment:%H:%M}"


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
