"""Clean series -> the 15-minute room table.

Belongs here: which point speaks for which room and quantity, window by window. Does not belong here: the arithmetic
of one series (see grid), how much history to read (see context), what is told of who speaks (see sources).
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import BUILDING, STEP, Frame
from esus_pipeline.frames import room_table as room_table_frame
from esus_pipeline.instants import Floats, Ints, length, microseconds
from esus_pipeline.readings import grid
from esus_pipeline.readings.quality import Quality
from esus_pipeline.site import Quantity, Site

RANKING = timedelta(days=1)
"""Of several points for one quantity of a room, the one with most good readings in this time before the window's
end speaks; where it has nothing young enough, the next one does."""

_NOTHING = np.empty(0, dtype=np.int64), np.empty(0)


@dataclass(frozen=True)
class Spoken:
    """What the P points of one room and quantity say in W windows, and which of them speaks."""

    points: list[int]
    """In the order of the site."""
    times: list[Ints]
    """Of each point's good readings."""
    values: Floats
    """(P, W), NaN where a point has nothing young enough."""
    busy: Ints
    """(P, W) good readings within RANKING."""
    speaker: Ints
    """(W,) which point; any where none has a value."""

    @property
    def value(self) -> Floats:
        """(W,) what the speaker says; NaN where none has a value."""
        return np.asarray(np.take_along_axis(self.values, self.speaker[None], axis=0)[0])


@dataclass(frozen=True)
class Rooms:
    """Who speaks, for each room (and `building`) and quantity."""

    site: Site
    windows: pd.DatetimeIndex
    """Their starts."""
    spoken: dict[tuple[str, str], Spoken]

    @property
    def starts(self) -> Ints:
        """Of the windows, microseconds."""
        return microseconds(self.windows)

    def table(self) -> pd.DataFrame:
        """The room table; see `room_frame`."""
        rooms = (*self.site.room_ids, BUILDING)
        frame = room_frame(self.site)
        columns = {name: np.full((len(rooms), len(self.windows)), np.nan) for name in frame.schema.names[2:]}
        for (room, quantity), spoken in self.spoken.items():
            columns[quantity][rooms.index(room)] = spoken.value
        table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
        table.insert(0, "timestamp", np.tile(self.windows, len(rooms)))
        table.insert(0, "room", np.repeat(rooms, len(self.windows)))
        return frame.conform(table)


def room_frame(site: Site) -> Frame:
    """The room table of this site: one column per quantity that any of its points measures."""
    return room_table_frame({point.quantity for point in site.points})


def room_table(site: Site, clean: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    """The table of `speak`: one row per room (and `building`) and window that starts in [start, end)."""
    return speak(site, clean, start, end).table()


def speak(site: Site, clean: pd.DataFrame, start: datetime, end: datetime) -> Rooms:
    """Who speaks for each room and quantity in the windows that start in [start, end), and what is said.

    Args:
        site: the building.
        clean: frames.CLEAN_SERIES in any order; `start` and `end` are window starts. It should go back as far as
            readings.context does. Nothing at or after a window's end is used for it, and only good readings are.
        start: first window.
        end: the window after the last.
    """
    windows = pd.date_range(start, end, freq=STEP, inclusive="left", unit="us")
    if not len(windows):
        return Rooms(site, windows, {})
    starts, points = microseconds(windows), _arrays(clean[clean["quality"] == Quality.GOOD])
    spoken = {
        (room, quantity): _spoken(site.quantity(quantity), ids, [points.get(id_, _NOTHING) for id_ in ids], starts)
        for (room, quantity), ids in _speakers(site).items()
    }
    return Rooms(site, windows, spoken)


def _speakers(site: Site) -> dict[tuple[str, str], list[int]]:
    """Points of each room and quantity, in the order of the site."""
    speakers = defaultdict(list)
    for point in site.points:
        speakers[point.room or BUILDING, point.quantity].append(point.id)
    return speakers


def _arrays(rows: pd.DataFrame) -> dict[int, tuple[Ints, Floats]]:
    """Instants and values of each point, in order."""
    ordered = rows.sort_values(["point_id", "timestamp"])
    points, first = np.unique(ordered["point_id"], return_index=True)
    times = np.split(microseconds(ordered["timestamp"]), first)[1:]
    values = np.split(ordered["value"].to_numpy(), first)[1:]
    return {point: (time, value) for point, time, value in zip(points.tolist(), times, values, strict=True)}


def _spoken(quantity: Quantity, points: list[int], series: list[tuple[Ints, Floats]], starts: Ints) -> Spoken:
    """Window by window the busiest point that has a value speaks."""
    values = np.array([_on_grid(quantity, time, value, starts) for time, value in series])
    busy = np.array([_counts(time, starts + grid.WINDOW) for time, _ in series])
    rank = np.where(np.isnan(values), -1, busy)
    return Spoken(points, [time for time, _ in series], values, busy, np.asarray(rank.argmax(axis=0)))


def _on_grid(quantity: Quantity, time: Ints, value: Floats, starts: Ints) -> Floats:
    max_age = length(quantity.max_age)
    if not len(time):
        return np.full(len(starts), np.nan)
    if quantity.sampling == "last":
        return grid.last(time, value, starts, max_age)
    return grid.mean(time, value, starts, max_age, lines=quantity.sampling == "interpolate")


def _counts(time: Ints, ends: Ints) -> Ints:
    first = ends - length(RANKING)
    return np.asarray(np.searchsorted(time, ends) - np.searchsorted(time, first))
