"""Clean series -> the 15-minute room table.

Belongs here: which point speaks for which room and quantity, window by window. Does not belong here: the arithmetic
of one series (see grid) and how much history to read (see context).
"""

from collections import defaultdict
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


def room_frame(site: Site) -> Frame:
    """The room table of this site: one column per quantity that any of its points measures."""
    return room_table_frame({point.quantity for point in site.points})


def room_table(site: Site, clean: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    """One row per room (and `building`) and window that starts in [start, end); see `room_frame`.

    Args:
        site: the building.
        clean: frames.CLEAN_SERIES in any order; `start` and `end` are window starts. It should go back as far as
            readings.context does. Nothing at or after a window's end is used for it, and only good readings are.
        start: first window.
        end: the window after the last.
    """
    windows = pd.date_range(start, end, freq=STEP, inclusive="left", unit="us")
    starts = microseconds(windows)
    good = clean[clean["quality"] == Quality.GOOD]
    points = {point: _arrays(series) for point, series in good.groupby("point_id")}
    rooms = (*site.room_ids, BUILDING)
    columns = {name: np.full((len(rooms), len(starts)), np.nan) for name in room_frame(site).schema.names[2:]}
    if len(starts):
        for (room, quantity), ids in _speakers(site).items():
            series = [points[id_] for id_ in ids if id_ in points]
            columns[quantity][rooms.index(room)] = _combined(site.quantity(quantity), series, starts)
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    table.insert(0, "timestamp", np.tile(windows, len(rooms)))
    table.insert(0, "room", np.repeat(rooms, len(starts)))
    return room_frame(site).conform(table)


def _speakers(site: Site) -> dict[tuple[str, str], list[int]]:
    """Points of each room and quantity, in the order of the site."""
    speakers = defaultdict(list)
    for point in site.points:
        speakers[point.room or BUILDING, point.quantity].append(point.id)
    return speakers


def _arrays(series: pd.DataFrame) -> tuple[Ints, Floats]:
    ordered = series.sort_values("timestamp")
    return microseconds(ordered["timestamp"]), ordered["value"].to_numpy()


def _combined(quantity: Quantity, series: list[tuple[Ints, Floats]], starts: Ints) -> Floats:
    """Window by window the value of the busiest point that has one."""
    if not series:
        return np.full(len(starts), np.nan)
    values = np.array([_on_grid(quantity, time, value, starts) for time, value in series])
    busy = np.array([_counts(time, starts + grid.WINDOW) for time, _ in series])
    rank = np.where(np.isnan(values), -1, busy)
    return np.asarray(np.take_along_axis(values, rank.argmax(axis=0)[None], axis=0)[0])


def _on_grid(quantity: Quantity, time: Ints, value: Floats, starts: Ints) -> Floats:
    max_age = length(quantity.max_age)
    if quantity.sampling == "last":
        return grid.last(time, value, starts, max_age)
    return grid.mean(time, value, starts, max_age, lines=quantity.sampling == "interpolate")


def _counts(time: Ints, ends: Ints) -> Ints:
    first = ends - length(RANKING)
    return np.asarray(np.searchsorted(time, ends) - np.searchsorted(time, first))
