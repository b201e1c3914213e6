"""Where the values of the room table come from: the point, how old its reading is, and for whom it stands in.

Belongs here: what is told of a choice that `rooms` has made. Does not belong here: choosing.
"""

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from esus_pipeline.frames import ROOM_SOURCES
from esus_pipeline.instants import NEVER, Ints, length, microseconds
from esus_pipeline.readings import grid
from esus_pipeline.readings.rooms import Rooms, Spoken

SILENT = "silent"
"""Why a point has no value where it has no reading that is young enough; else its newest reading's flag says why."""


def room_sources(rooms: Rooms, quantities: Collection[str], clean: pd.DataFrame, rhythm: pd.DataFrame) -> pd.DataFrame:
    """Rows of frames.ROOM_SOURCES, one for each value of these quantities in the room table.

    A point stands in for another one of its room and quantity that has no value in the window and is better: it has
    more good readings in the day before, by which `rooms` chooses, or had more in the weeks that its rhythm was learned
    from, because a day after a point broke nothing in the day before tells of it.

    Args:
        rooms: who speaks, from `rooms.speak` of the same clean series.
        quantities: those to be told of.
        clean: frames.CLEAN_SERIES in any order.
        rhythm: the version of frames.RHYTHM in force; empty where there is none.
    """
    usual = dict(zip(rhythm["point_id"], rhythm["gaps"], strict=True))
    parts = [
        _rows(rooms, name, spoken, clean, np.array([usual.get(point, 0) for point in spoken.points]))
        for name, spoken in rooms.spoken.items()
        if name[1] in quantities
    ]
    return pa.concat_tables([ROOM_SOURCES.schema.empty_table(), *parts]).to_pandas()


def _rows(rooms: Rooms, name: tuple[str, str], spoken: Spoken, clean: pd.DataFrame, usual: Ints) -> pa.Table:
    known = ~np.isnan(spoken.value)
    better, why = _stood_in_for(rooms, name[1], spoken, clean, usual)
    points, count = np.array(spoken.points), int(known.sum())
    return ROOM_SOURCES.table(
        {
            "room": pa.repeat(name[0], count),
            "timestamp": rooms.windows[known],
            "quantity": pa.repeat(name[1], count),
            "point_id": points[spoken.speaker[known]],
            "age_minutes": _ages(spoken, rooms.starts)[known] / length(timedelta(minutes=1)),
            "stands_in_for": pa.array(points[better[known]], mask=better[known] < 0),
            "because": pa.array(why[known], pa.string()),
        }
    )


def _ages(spoken: Spoken, starts: Ints) -> Ints:
    """(W,) microseconds at each window's end since the speaker's newest good reading."""
    newest = np.array([np.append(time, NEVER)[grid.newest(time, starts)] for time in spoken.times])
    return starts + grid.WINDOW - np.take_along_axis(newest, spoken.speaker[None], axis=0)[0]


def _stood_in_for(
    rooms: Rooms, quantity: str, spoken: Spoken, clean: pd.DataFrame, usual: Ints
) -> tuple[Ints, npt.NDArray[np.object_]]:
    """(W,) which point the speaker stands in for, -1 for none, and why that one has no value, None for none."""
    starts, max_age = rooms.starts, length(rooms.site.quantity(quantity).max_age)
    busier = spoken.busy > np.take_along_axis(spoken.busy, spoken.speaker[None], axis=0)
    missed = np.isnan(spoken.values) & (busier | (usual[:, None] > usual[spoken.speaker]))
    better = np.where(missed.any(axis=0), np.where(missed, usual[:, None], -1).argmax(axis=0), -1)
    why = np.full(len(starts), None, dtype=object)
    for place in np.unique(better[better >= 0]):
        here = better == place
        why[here] = _silences(clean[clean["point_id"] == spoken.points[place]], starts[here], max_age)
    return better, why


def _silences(series: pd.DataFrame, starts: Ints, max_age: int) -> npt.NDArray[np.object_]:
    """Why one point has no value in each of these windows."""
    series = series.sort_values("timestamp")
    time = np.append(microseconds(series["timestamp"]), NEVER)
    flag = np.append(series["quality"].to_numpy(dtype=object), SILENT)
    at = grid.newest(time[:-1], starts)
    return np.where(starts + grid.WINDOW - time[at] <= max_age, flag[at], SILENT)
