"""Conditions of points and controllers, from the newest row of frames.POINT_STATE of each point.

Silent points of a controller that is late itself are explained by it: one condition is told, not sixty.
"""

import math
from collections.abc import Hashable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from esus_pipeline.alerts.condition import SETTLE, Condition, Severity
from esus_pipeline.frames import STEP
from esus_pipeline.quality import FINAL, State, suspects
from esus_pipeline.site import Site

Row = Mapping[Hashable, Any]

SOURCE = "points"
NEWCOMER = timedelta(days=1)
"""How long a point may take to report for the first time."""

_SAYS = {
    "late": (
        "silent",
        "has been silent for longer than its rhythm allows",
        "Wait: it may be late. If it stays, look at the sensor.",
    ),
    "missing": ("silent", "is silent", "Look at the sensor, its bus connection and its log in the building's system."),
    "never_reported": (
        "never_reported",
        "has never reported",
        "Check its id in points.csv and whether the building's system logs it.",
    ),
    "stuck": ("stuck", "is stuck", "Its value does not move as it should: look at the sensor."),
    "implausible": ("implausible", "is implausible", "Its values cannot be: look at the sensor, its unit and its log."),
}
_SILENT = ("late", "missing")
_CONTROLLER = "Look at the controller and its connection to the building's system; its points are not blamed."
_FEW = "Look at what is named first, then at the controller and its connection; its other points are not blamed."
_LINK = "/assets/point_states?view=checks&checkDetail="
"""Followed by the check whose table names the points or the controllers."""


def point_conditions(site: Site, states: pd.DataFrame) -> list[Condition]:
    """What is wrong with controllers and points. `states` holds one window of frames.POINT_STATE."""
    late = {condition.group: condition for condition in _controllers(site, states)}
    return [*late.values(), *_points(site, states, late)]


def _controllers(site: Site, states: pd.DataFrame) -> Iterator[Condition]:
    for name, rows in states.groupby("controller", sort=True):
        behind, bound = float(rows["controller_late_minutes"].max()), float(rows["controller_bound_minutes"].max())
        longest = FINAL.total_seconds() / 60
        silent = rows[rows["state"].isin(_SILENT)]
        if not behind > (longest if math.isnan(bound) else bound):
            continue
        gone = behind > longest
        few = rows[rows["point_id"].isin(suspects(site, rows))]
        yield Condition(
            key=f"controller:{name}",
            source=SOURCE,
            group=str(name),
            severity=Severity.ERROR if gone else Severity.WARNING,
            summary=f"controller {name} {'delivers nothing' if gone else 'is late'}{_or_only(few)}",
            advice=_CONTROLLER if few.empty else _FEW,
            since=(rows["window"].max() + STEP - pd.Timedelta(minutes=behind)).to_pydatetime(),
            link=f"{_LINK}controller_lateness",
            points=tuple(int(point) for point in rows["point_id"]),
            details=(
                f"behind by {_hours(behind)}; up to {_hours(bound)} is normal",
                f"{len(silent)} of {len(rows)} points are silent",
                *(f"{_who(row)}: {_age(row)}" for row in few.to_dict("records")),
            ),
            settle=SETTLE,
            final=gone,
        )


def _points(site: Site, states: pd.DataFrame, late: dict[str, Condition]) -> Iterator[Condition]:
    paths = {point.id: point.path for point in site.points}
    for row in states[states["state"].isin(list(_SAYS))].to_dict("records"):
        kind, says, advice = _SAYS[row["state"]]
        point, controller = int(row["point_id"]), str(row["controller"])
        covered = kind == "silent" and controller in late
        yield Condition(
            key=f"point:{point}:{kind}",
            source=SOURCE,
            group=controller,
            severity=Severity.WARNING,
            summary=f"{_who(row)} {says}",
            advice=advice,
            since=None if pd.isna(row["since"]) else row["since"].to_pydatetime(),
            link=f"{_LINK}points",
            points=(point,),
            details=tuple(filter(None, (_age(row), paths.get(point, "")))),
            cause=late[controller].key if covered else "",
            patience=NEWCOMER if kind == "never_reported" else timedelta(),
            settle=SETTLE,
            final=row["state"] == State.MISSING if kind == "silent" else None,
        )


def _or_only(few: pd.DataFrame) -> str:
    """What else may be the reason, where only few points should have spoken."""
    points = f"point{'s' * (len(few) > 1)} {', '.join(few['point_id'].astype(str))}"
    return "" if few.empty else f", or only its {points}: the others keep to their rhythm"


def _who(row: Row) -> str:
    """A point, for people."""
    where = f" of {row['room']}" if isinstance(row["room"], str) else ""
    return f"{row['quantity']}{where} (point {row['point_id']})"


def _age(row: Row) -> str:
    age, bound = row["age_minutes"], row["bound_minutes"]
    if math.isnan(age):
        return ""
    normal = "" if math.isnan(bound) else f"; up to {_hours(bound)} is normal"
    return f"newest reading {_hours(age)} old{normal}"


def _hours(minutes: float) -> str:
    return "?" if math.isnan(minutes) else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
