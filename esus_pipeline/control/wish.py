"""What is wanted of the shades before the rule layer: the optimum where there is one, else the tuned rule.

Both come as positions and rules per room and step. The optimum's hours are trimmed to the quarters in which the sun is
on the facade: a shade goes down just before the sun arrives and up when it has left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.forecast_rule import (
    COLD_OUTSIDE,
    LEAD,
    SUN_ON_FACADE,
    DayDecision,
    decide_days,
    forecast_rules,
    wanted_positions,
)
from esus_pipeline.control.inputs import PAST, Array, Horizon, Mask
from esus_pipeline.control.measured import NOW
from esus_pipeline.control.optimiser.optimum import HOURS, Optimum, hours_ahead
from esus_pipeline.control.optimiser.outlook import light_limit
from esus_pipeline.control.room_response import RoomResponse
from esus_pipeline.control.rules import Rule
from esus_pipeline.control.safety import held_state
from esus_pipeline.control.setpoints import Setpoints
from esus_pipeline.frames import STEP

LOOK_AHEAD = 48
"""Steps after a closed stretch in which the room would still feel the sun that it kept out (12 hours)."""


@dataclass(frozen=True)
class OptimumView:
    """The optimum on the plan's grid; NaN where it does not reach or a room was not planned."""

    closed: Array
    """(R, N)."""
    open_air: Array
    """(R, N) degC at the start of each step with open shades."""
    margin: float


@dataclass(frozen=True)
class Wish:
    """What is wanted, and what it is explained by."""

    closed: Mask
    """(R, N)."""
    rules: npt.NDArray[np.object_]
    """(R, N)."""
    decisions: list[list[DayDecision]]
    """Of the tuned rule, by day and group; empty where every group follows the optimum."""
    view: OptimumView | None
    planned: Mask
    """(R,) rooms that follow the optimum."""


def make_wish(
    horizon: Horizon,
    setpoints: Setpoints,
    response: RoomResponse,
    groups: list[list[int]],
    blocked: Mask,
    optimum: Optimum | None,
) -> Wish:
    """The optimum's wish for the groups that it covers, the tuned rule's for all others."""
    rooms = len(horizon.site.rooms)
    view = None if optimum is None else _view(horizon, optimum)
    covered = [view is not None and _covers(view, members) for members in groups]
    rest = [members for members, done in zip(groups, covered, strict=True) if not done]
    decisions = decide_days(horizon, setpoints, response, rest, blocked) if rest else []
    closed = wanted_positions(decisions, rooms)
    rules = forecast_rules(decisions, rooms)
    planned = np.zeros(rooms, dtype=bool)
    for members, done in zip(groups, covered, strict=True):
        if done and view is not None:
            planned[members] = True
            closed[members], rules[members] = _follow(horizon, setpoints, view, members)
    if view is not None:
        alone = [room for room in range(rooms) if not any(room in members for members in groups)]
        planned[alone] = np.isfinite(view.open_air[alone, 0])
    return Wish(closed, rules, decisions, view, planned)


def _covers(view: OptimumView, members: Sequence[int]) -> bool:
    """Whether the optimum says something of the whole plan."""
    return bool(np.isfinite(view.closed[members]).any(axis=1).all())


def _view(horizon: Horizon, optimum: Optimum) -> OptimumView:
    hours = hours_ahead(optimum, horizon.as_of, horizon.steps, STEP)
    inside = hours < HOURS
    place = np.minimum(hours, HOURS - 1)
    at = (horizon.as_of - optimum.issued_at) / STEP + np.arange(horizon.steps)
    ends = np.arange(1, HOURS + 1) * 4.0
    open_air = np.stack([np.interp(at, ends, row, left=row[0]) for row in optimum.open_air])
    return OptimumView(
        closed=np.where(inside, optimum.closed[:, place], np.nan),
        open_air=open_air,
        margin=horizon.site.control.margin,
    )


def _follow(
    horizon: Horizon, setpoints: Setpoints, view: OptimumView, members: list[int]
) -> tuple[Mask, npt.NDArray[np.object_]]:
    """Positions (N,) and rules (N,) of one group."""
    facade = np.nan_to_num(np.fmax.reduce(horizon.irradiance[members, PAST:]))
    sunny = facade > SUN_ON_FACADE
    held = held_state(horizon, members)
    wanted = np.nan_to_num(view.closed[members[0]]) > 0
    attended = setpoints.occupied.copy()
    attended[:NOW] |= horizon.measured.somebody_in(members)
    closed = trim(wanted, facade, light_limit(attended), held.closed)
    rules = np.full(horizon.steps, Rule.OPEN_NO_SUN, dtype=object)
    rules[sunny] = Rule.OPEN_FOR_VIEW
    rules[sunny & _cold(horizon, sunny)] = Rule.OPEN_FOR_GAIN
    for first, last in stretches(closed):
        worst = excess(view, setpoints, facade, members, first, last).max()
        rules[first:last] = Rule.SHADE_FOR_COMFORT if worst > 0 else Rule.SHADE_FOR_COST
    return closed, rules


def excess(view: OptimumView, setpoints: Setpoints, facade: Array, members: list[int], first: int, last: int) -> Array:
    """(members, n) kelvin over the limit less margin, with open shades, in a closed stretch and until the next sun."""
    ahead = facade[last : last + LOOK_AHEAD] > SUN_ON_FACADE
    span = slice(first, last + (int(ahead.argmax()) if ahead.any() else len(ahead)))
    over = view.open_air[members, span] - (setpoints.limit[span] - view.margin)
    return np.nan_to_num(over, nan=-np.inf)


def trim(wanted: Mask, facade: Array, limit: Array, held_closed: bool) -> Mask:
    """The wanted stretches from LEAD steps before light comes until it goes; none without light over the limit.

    Where the light was there before and only its limit has changed, because people left, nothing is early. A stretch
    that begins with the plan keeps its beginning when the shade is down already.
    """
    closed = np.zeros_like(wanted)
    for first, last in stretches(wanted):
        lit = first + np.flatnonzero(facade[first:last] > limit[first:last])
        if not len(lit):
            continue
        start = int(lit[0])
        begin = max(0, start - LEAD) if not start or facade[start - 1] <= limit[start] else start
        closed[0 if first == 0 and held_closed else begin : int(lit[-1]) + 1] = True
    return closed


def stretches(mask: Mask) -> list[tuple[int, int]]:
    """(first, last + 1) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _cold(horizon: Horizon, sunny: Mask) -> Mask:
    """(N,) whether the day is cold outside while the sun shines."""
    cold = np.zeros(horizon.steps, dtype=bool)
    edges = [0, *(int(step) + 1 for step in np.flatnonzero(np.diff(horizon.day))), horizon.steps]
    for first, last in pairwise(edges):
        today = horizon.outdoor[first:last][sunny[first:last]]
        if len(today):
            cold[first:last] = np.mean(today) < COLD_OUTSIDE
    return cold
