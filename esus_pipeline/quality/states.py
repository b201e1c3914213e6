"""What a point is believed to be at the end of a window, from the readings stamped before it.

Belongs here: the vocabulary and the verdict. Does not belong here: how the bounds are learned (see rhythm and
lateness), the ledger of gaps (see gaps), whether one reading can be believed (see readings.quality).

A point is judged against what its controller has already delivered, never against the wall clock; a controller
against the lateness that it usually has. A verdict uses nothing stamped at or after the window's end, so that a
window judged live and one judged later from the same readings agree.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import POINT_STATE, STEP
from esus_pipeline.instants import NEVER, Floats, Ints, Mask, instants, length, microseconds
from esus_pipeline.quality.bounds import LONGEST, Bounds
from esus_pipeline.quality.heard import Heard
from esus_pipeline.quality.progress import away, progress
from esus_pipeline.site import Site

FINAL = timedelta(hours=8, minutes=30)
"""The building has been seen to deliver 8 hours late; what has not come after this will not come."""

PATIENCE = STEP
"""A silence is too long when it was so this long ago: what ends it may be stamped, and come with the next poll."""


class State(StrEnum):
    """States of a point, from the least to the most worrying; the order is the code that dashboards show."""

    CURRENT = "current"
    """Heard within its bound of what its controller has delivered."""
    SILENT_BY_NATURE = "silent_by_nature"
    """Its silence says nothing (setpoints, switches, also if they never spoke); its controller speaks."""
    LATE = "late"
    """Silent for longer than its bound, or its whole controller is; may still be delivered."""
    STUCK = "stuck"
    """It speaks, and always says the same, for longer than this quantity does."""
    IMPLAUSIBLE = "implausible"
    """It speaks, and nothing that it said within its bound can be believed; or its newest word, where its silence says
    nothing, cannot be."""
    MISSING = "missing"
    """Late by more than FINAL: lost, unless late data revokes it."""
    NEVER_REPORTED = "never_reported"
    """Not one reading of it was ever received, and it is neither setpoint nor switch."""


SURE = {
    State.LATE: "provisional: may still be delivered",
    State.MISSING: f"final: silent for more than {FINAL / timedelta(hours=1):g} h; late data would revoke it",
    State.STUCK: "it speaks, but always says the same",
    State.IMPLAUSIBLE: "it speaks, but nothing it says can be believed",
    State.NEVER_REPORTED: "nothing of it was ever received: is the point id right?",
}
"""What a bad state means and how sure it is, for people."""

STATE_CODES = {state: float(code) for code, state in enumerate(State)}
"""Numbers for dashboards and thresholds."""

_STATES = np.array(list(State), dtype=object)
_CODES = {state: code for code, state in enumerate(State)}


def judge(site: Site, heard: Heard, bounds: Bounds, start: datetime, end: datetime) -> pd.DataFrame:
    """frames.POINT_STATE of the windows that start in [start, end), by window and point.

    Args:
        site: the building; its points in its own order.
        heard: readings from some time before `start` on, and the newest one of each point before that.
        bounds: the silences that are normal.
        start: first window.
        end: the window after the last.
    """
    windows = pd.date_range(start, end, freq=STEP, inclusive="left", unit="us")
    ends = microseconds(windows) + length(STEP)
    newest, believed, member = heard.newest(ends), heard.newest_good(ends), bounds.member
    past = np.arange(ends[0] - length(LONGEST), ends[-1] + 1, length(STEP))
    reached = progress(past, heard.newest(past), bounds)
    watermark, tardy = reached.watermark[-len(ends) :], reached.tardy[-len(ends) :, member]
    behind, own_mark = ends[:, None] - watermark, watermark[:, member]
    sure = np.where(own_mark == NEVER, NEVER, own_mark - length(PATIENCE))
    out = away(reached, bounds, ends, newest, sure)
    used = bounds.used(newest, sure, out)
    used_good = bounds.used(believed, sure, away(reached, bounds, ends, believed, sure))
    used_good[(believed == NEVER) & (newest != NEVER) & ~bounds.silent] = np.inf
    used_good[heard.absurd(ends) & bounds.silent] = np.inf
    switches = np.array([point.silent_by_nature for point in site.points], dtype=bool)
    answered = np.where(used > 1, newest, np.maximum(newest, own_mark))
    code = _code(ends, newest, answered, used, used_good, tardy, bounds, heard.stuck(ends), switches)
    since = np.where(code == _CODES[State.STUCK], heard.run_start(ends), newest)
    since = np.where(code == _CODES[State.IMPLAUSIBLE], heard.run_start(ends), since)
    plain = np.isin(code, [_CODES[s] for s in (State.CURRENT, State.SILENT_BY_NATURE, State.NEVER_REPORTED)])
    since = np.where(plain, NEVER, since)
    points = len(site.points)
    columns = {
        "age_minutes": _minutes(ends[:, None] - newest, newest == NEVER),
        "bound_minutes": bounds.minutes(newest, sure, used, out),
        "controller_late_minutes": _minutes(behind, watermark == NEVER)[:, member],
        "controller_bound_minutes": np.broadcast_to(bounds.controllers / length(_MINUTE), behind.shape)[:, member],
    }
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    table.insert(0, "since", instants(since.ravel()))
    table.insert(0, "state", pd.Series(_STATES[code.ravel()], dtype="str"))
    for name in ("controller", "quantity", "room"):
        table.insert(0, name, np.tile(np.array([getattr(p, name) for p in site.points], dtype=object), len(windows)))
    table.insert(0, "point_id", np.tile(np.array(site.point_ids, dtype=np.int64), len(windows)))
    table.insert(0, "window", np.repeat(windows, points))
    return POINT_STATE.conform(table)


_MINUTE = timedelta(minutes=1)


def _code(
    ends: Ints,
    newest: Ints,
    answered: Ints,
    used: Floats,
    used_good: Floats,
    tardy: Mask,
    bounds: Bounds,
    stuck: Mask,
    switches: Mask,
) -> npt.NDArray[np.intp]:
    """Codes of the states, [instants, points]; nothing is amiss with a point until `answered`.

    That is its newest reading where it should have spoken since, and how far its controller has delivered where it need
    not: a setpoint of last month is not lost because its controller is an hour late. A switch that never spoke is not
    late with its controller: nothing of it is known to be under way. Any other point must have spoken once, however
    long it may be silent.
    """
    unheard = newest == NEVER
    silent = np.broadcast_to(bounds.silent[None, :], newest.shape)
    quiet = tardy | (used > 1)
    final = quiet & (ends[:, None] - answered > length(FINAL))
    return np.select(
        [unheard & switches, unheard, final, quiet, stuck, used_good > 1, silent],
        [
            _CODES[state]
            for state in (
                State.SILENT_BY_NATURE,
                State.NEVER_REPORTED,
                State.MISSING,
                State.LATE,
                State.STUCK,
                State.IMPLAUSIBLE,
                State.SILENT_BY_NATURE,
            )
        ],
        _CODES[State.CURRENT],
    )


def _minutes(span: Ints, unknown: Mask) -> Floats:
    return np.where(unknown, np.nan, span / length(_MINUTE))
