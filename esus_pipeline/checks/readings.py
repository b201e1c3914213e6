"""Are the values there that the building should give, and can they be believed? By window, from the clean tables."""

from datetime import date, datetime

import numpy as np
import pandas as pd

from esus_pipeline.checks.verdict import Day, Rule, no_worst
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Point, Site

COMPLETENESS = Rule(
    measure="share of expected room values",
    unit="%",
    limit=90.0,
    at_least=True,
    grave=50.0,
    advice="Look at the points below in point_states: their controller may be late, or a sensor silent. Plans go on "
    "without them and say so. Points that are known not to work belong into alerts.known_dead of site.yaml.",
)
PLAUSIBILITY = Rule(
    measure="share of readings that cannot be believed",
    unit="%",
    limit=5.0,
    at_least=False,
    advice="Look at the sensors below, their units in points.csv and their logs in the building's system; flagged "
    "readings are kept and not used.",
)


def judge_completeness(site: Site, rooms: pd.DataFrame, start: datetime, end: datetime) -> Day:
    """Percentage of the room table's cells that are filled, of those that a working point should fill.

    Args:
        site: the building.
        rooms: frames.room_table of the windows that start in [start, end).
        start: first window.
        end: after the last window.
    """
    windows = _windows(start, end)
    cells = expected_cells(site, start.astimezone(site.zone).date())
    filled, owner = rooms.set_index("timestamp").notna(), rooms["room"].to_numpy()
    nothing = np.zeros(len(windows), dtype=bool)
    counted = pd.Series(0, index=windows)
    worst = []
    for (room, quantity), silenced in cells.items():
        there = windows.isin(filled.index[filled[quantity] & (owner == room)]) if quantity in filled else nothing
        if not silenced:
            counted += there.astype(int)
        empty = int((~there).sum())
        if empty:
            worst.append((f"{quantity} of {room}", "no value young enough", empty, silenced))
    expected = sum(not silenced for silenced in cells.values())
    share = counted / expected if expected else counted * float("nan")
    return Day(_values(share), _table(worst))


def expected_cells(site: Site, day: date) -> dict[tuple[str, str], str]:
    """Cells of the room table that have points which speak regularly, and why one does not count: all known dead."""
    dead = site.alerts.dead(day)
    cells: dict[tuple[str, str], list[Point]] = {}
    for point in site.points:
        if not point.silent_by_nature:
            cells.setdefault((point.room or BUILDING, point.quantity), []).append(point)
    return {
        cell: f"known dead: {dead[points[0].id]}" if all(point.id in dead for point in points) else ""
        for cell, points in cells.items()
    }


def judge_plausibility(site: Site, series: pd.DataFrame, start: datetime, end: datetime) -> Day:
    """Percentage of each window's readings that carry a flag, points known to be dead apart.

    `series` holds the columns point_id, timestamp and quality of frames.CLEAN_SERIES in [start, end).
    """
    dead = site.alerts.dead(start.astimezone(site.zone).date())
    names = {point.id: f"{point.quantity} of {point.room or BUILDING} ({point.id})" for point in site.points}
    rows = series.assign(bad=series["quality"] != "good", window=series["timestamp"].dt.floor(STEP))
    alive = rows[~rows["point_id"].isin(list(dead))]
    share = alive.groupby("window")["bad"].mean().reindex(_windows(start, end))
    worst = []
    flagged = rows[rows["bad"]]
    for key, each in flagged.groupby("point_id"):
        point = int(str(key))
        flags = ", ".join(f"{count} {flag}" for flag, count in each["quality"].value_counts().items())
        silenced = f"known dead: {dead[point]}" if point in dead else ""
        worst.append((names.get(point, f"point {point}"), flags, each["window"].nunique(), silenced))
    return Day(_values(share), _table(worst))


def _windows(start: datetime, end: datetime) -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=STEP, inclusive="left", unit="us")


def _values(share: "pd.Series[float]") -> pd.DataFrame:
    return pd.DataFrame({"window": share.index, "value": 100 * share.to_numpy(dtype=float)})


def _table(worst: list[tuple[str, str, int, str]]) -> pd.DataFrame:
    return pd.DataFrame(worst, columns=["subject", "note", "windows", "silenced"]) if worst else no_worst()
