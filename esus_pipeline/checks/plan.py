"""May this plan leave the house? Asked before a plan is shown or delivered: of the plan, and of what it is made of.

Written apart from the rules that make plans, so that a mistake in one of them is not repeated here: a plan must be
whole, its numbers must be possible, and where the inputs are missing or the wind is too strong it must be the safe one.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from esus_pipeline.checks.verdict import Day, Level, Rule, no_worst
from esus_pipeline.control.inputs import STEPS, WIND_NOWCAST
from esus_pipeline.control.rules import OPEN, SAFETY
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site
from esus_pipeline.weather import Issues, is_current

SETPOINTS = (5.0, 40.0)
"""degC; a setpoint beyond these is no setpoint of a room."""

PUBLISHABLE = Rule(
    measure="faults of the plan",
    unit="",
    limit=0.0,
    at_least=False,
    level=Level.ERROR,
    advice="This plan is not delivered, and the page keeps the last good one; the building's own control goes on. The "
    "table says what is wrong with it: it is a mistake of the pipeline, so report it with this page.",
)

INCOMPLETE = "a row per room and quarter of an hour for 36 hours is not there exactly once"
NUMBERS = "a position is not within 0 and 1, or a setpoint not within 5 and 40 degC, or heating is not below cooling"
UNSAFE = "the rule asks for the safe plan, and a shade is not open"
BLIND = "no forecast is young enough to steer by, and a shade is not open"
WIND = "the forecast wind is over the limit, and a shade is not open"
FAULTS = (INCOMPLETE, NUMBERS, UNSAFE, BLIND, WIND)


def plan_faults(site: Site, plans: pd.DataFrame, issues: Issues, ends: Sequence[datetime]) -> dict[datetime, list[str]]:
    """What is wrong with each plan that has a fault, by when it was issued; arguments as of `judge_plans`."""
    counts = _faults(site, plans, issues, ends)
    return {
        as_of: [fault for fault, found in zip(FAULTS, row, strict=True) if found]
        for as_of, row in zip(ends, counts, strict=True)
        if row.any()
    }


def judge_plans(site: Site, plans: pd.DataFrame, issues: Issues, ends: Sequence[datetime]) -> Day:
    """Faults of the plan of each window.

    Args:
        site: the building.
        plans: rows of frames.SHADE_SETPOINT_SCHEDULE that were issued at `ends`; reason, prediction and baseline are
            not looked at and may be absent.
        issues: the forecasts that these plans could know.
        ends: ends of the windows, at which their plans are issued.
    """
    counts = _faults(site, plans, issues, ends)
    values = (counts > 0).sum(axis=1).astype(float)
    worst = [
        {"subject": fault, "note": f"in up to {rows.max()} rows", "windows": int((rows > 0).sum()), "silenced": ""}
        for fault, rows in zip(FAULTS, counts.T, strict=True)
        if rows.any()
    ]
    windows = pd.DataFrame({"window": pd.DatetimeIndex(list(ends)).as_unit("us") - STEP, "value": values})
    return Day(windows, pd.DataFrame(worst) if worst else no_worst())


def _faults(site: Site, plans: pd.DataFrame, issues: Issues, ends: Sequence[datetime]) -> np.ndarray:
    """(windows, len(FAULTS)) how many rows have each fault."""
    stamps = pd.DatetimeIndex(list(ends)).as_unit("us").asi8
    issued = pd.DatetimeIndex(plans["issued_at"]).as_unit("us").asi8
    offset = pd.DatetimeIndex(plans["valid_time"]).as_unit("us").asi8 - issued
    length = int(STEP.total_seconds() * 1e6)
    window, step = np.searchsorted(stamps, issued), offset // length
    room = pd.Index(site.room_ids).get_indexer(pd.Index(plans["room"]))
    placed = (offset % length == 0) & (step >= 0) & (step < STEPS) & (room >= 0)
    cells = len(site.room_ids) * STEPS
    position = plans["shade_position"].to_numpy(dtype=float)
    heating, cooling = (plans[f"{name}_setpoint"].to_numpy(dtype=float) for name in ("heating", "cooling"))
    possible = _within(position, 0.0, 1.0) & _within(heating, *SETPOINTS) & _within(cooling, *SETPOINTS)
    lowered = ~(position == OPEN)
    strong, current = _weather(site, issues, ends)
    place = np.clip(step, 0, STEPS - 1)
    faulty = (
        ~(possible & (heating < cooling)),
        lowered & plans["rule"].isin(list(SAFETY)).to_numpy(),
        lowered & ~current[window],
        lowered & placed & strong[window, place],
    )
    there = np.bincount(window[placed] * cells + room[placed] * STEPS + step[placed], minlength=len(stamps) * cells)
    strangers = np.bincount(window[~placed], minlength=len(stamps))
    incomplete = (there.reshape(len(stamps), cells) != 1).sum(axis=1) + strangers
    return np.stack([incomplete, *(np.bincount(window[bad], minlength=len(stamps)) for bad in faulty)], axis=1)


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Whether each value is a number between the two."""
    return (values >= low) & (values <= high)


def _weather(site: Site, issues: Issues, ends: Sequence[datetime]) -> tuple[np.ndarray, np.ndarray]:
    """(windows, STEPS) whether the forecast wind is over the limit; (windows,) whether there is a forecast to use.

    Nothing is said of the first steps, for which a reading of the wind counts more than the forecast.
    """
    strong, current = np.zeros((len(ends), STEPS), dtype=bool), np.zeros(len(ends), dtype=bool)
    winds: dict[pd.Timestamp, pd.Series] = {}
    for row, as_of in enumerate(ends):
        issue = issues.known_at(as_of)
        current[row] = is_current(issue, as_of)
        if issue.empty:
            continue
        stamp = issue["issued_at"].iloc[0]
        if stamp not in winds:
            wind = np.fmax(issue["wind_speed"], issue["wind_gust"] / site.wind.gust_factor)
            winds[stamp] = pd.Series(np.asarray(wind, dtype=float), index=pd.DatetimeIndex(issue["valid_time"]))
        times = pd.date_range(as_of, periods=STEPS, freq=STEP, unit="us")
        strong[row] = winds[stamp].reindex(times).to_numpy() > site.wind.retract_above
    strong[:, :WIND_NOWCAST] = False
    return strong, current
