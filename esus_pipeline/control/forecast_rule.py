"""When the forecast asks for a closed shade: one decision per shade group and local day.

A group is closed on a day when, with open shades, the day's sun would push one of its rooms over its limit.
- On a mild or warm day it is lowered one step before the sun reaches its facade, and raised as soon as the rest of
  the day's sun can no longer do that, at the latest when the sun has left.
- On a cold day the sun is let in first: it is lowered as late as the limit allows, and raised when the sun has left.
In all other cases it stays open, for heat when it is cold and for daylight and view. Wind, missing inputs and limits
on movement come afterwards (see safety).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.inputs import PAST, STEPS, Array, Horizon, Mask
from esus_pipeline.control.room_response import RoomResponse
from esus_pipeline.control.rules import Rule
from esus_pipeline.control.safety import held_state
from esus_pipeline.control.setpoints import Setpoints

SUN_ON_FACADE = 120.0
"""W/m2 on the facade from which the sun is said to be on it; sky light alone stays below on most days."""
MARGIN = 0.4
"""K kept below the limit for the error of forecast and prediction. Twice this, to raise a lowered shade again."""
LEAD = 1
"""Steps by which a shade is down before the sun arrives."""
COLD_OUTSIDE = 12.0
"""degC, mean of the sunny hours, below which the sun is welcome heat."""
LOOK_AHEAD = 96
"""Steps from the sun's arrival in which its heat must not push the room over its limit (24 hours, or until the next
day's sun: a warm Sunday evening counts for Monday morning)."""


@dataclass(frozen=True)
class Peak:
    """When and how warm a room is when it is furthest above its limit; NaN degC when that is not known."""

    temperature: float
    step: int


@dataclass(frozen=True)
class Sun:
    """One group's sun of one day; steps count from the start of the plan."""

    first: int
    until: int
    """It is on the facade in first .. until - 1; both are the day's end when it never is."""
    end: int
    """The steps up to here are asked about when the day is decided."""
    cold: bool
    """Cold outside while it shines."""
    brightest: float
    """W/m2 on the facade, the most of the day; NaN when it is not known."""

    @property
    def shines(self) -> bool:
        """Whether the sun reaches the facade at all."""
        return self.first < self.until


@dataclass(frozen=True)
class DayDecision:
    """What the forecast asks of one group on one local day."""

    members: list[int]
    """Indices of the group's rooms; the lists below go with it."""
    sun: Sun
    lower_at: int
    raise_at: int
    """The shade is wanted closed in lower_at .. raise_at - 1; both equal when it is wanted open all day."""
    open_peak: list[Peak]
    """With the shade open all day."""
    planned_peak: list[Peak]
    """With the shade as wanted."""
    margin: float
    """K under the limit from which the shade was wanted closed."""

    @property
    def closes(self) -> bool:
        """Whether the shade is wanted closed at some time of the day."""
        return self.lower_at < self.raise_at


def decide_days(
    horizon: Horizon, setpoints: Setpoints, response: RoomResponse, groups: list[list[int]], blocked: Mask
) -> list[list[DayDecision]]:
    """One decision per group (inner list) and local day (outer list), later days on top of the earlier ones."""
    edges = [0, *(int(step) + 1 for step in np.flatnonzero(np.diff(horizon.day))), STEPS]
    held = [held_state(horizon, members).closed for members in groups]
    temperature = horizon.temperature
    days = []
    for first, last in pairwise(edges):
        day = _Day(horizon, setpoints, response, groups, blocked, first, last, temperature, held)
        decisions, temperature = day.decide()
        days.append(decisions)
        held = [False] * len(groups)
    return days


def wanted_positions(decisions: list[list[DayDecision]], rooms: int) -> Mask:
    """(R, N) whether the forecast asks for a closed shade."""
    wanted = np.zeros((rooms, STEPS), dtype=bool)
    for decision in (decision for day in decisions for decision in day):
        wanted[decision.members, decision.lower_at : decision.raise_at] = True
    return wanted


def forecast_rules(decisions: list[list[DayDecision]], rooms: int) -> npt.NDArray[np.object_]:
    """(R, N) the rule behind what the forecast asks for at each step."""
    rules = np.full((rooms, STEPS), Rule.OPEN_NO_SUN, dtype=object)
    for decision in (decision for day in decisions for decision in day):
        late = decision.closes and decision.lower_at > decision.sun.first
        welcome = decision.sun.cold and (late or not decision.closes)
        sunny = slice(decision.sun.first, decision.sun.until)
        rules[decision.members, sunny] = Rule.OPEN_FOR_GAIN if welcome else Rule.OPEN_FOR_VIEW
        closed = slice(decision.lower_at, decision.raise_at)
        rules[decision.members, closed] = Rule.CLOSE_WHEN_WARM if late else Rule.CLOSE_BEFORE_SUN
    return rules


@dataclass(frozen=True)
class _Day:
    """The steps first .. last - 1 of the plan, one local day, and what is known when it begins."""

    horizon: Horizon
    setpoints: Setpoints
    response: RoomResponse
    groups: list[list[int]]
    blocked: Mask
    first: int
    last: int
    temperature: Array
    """(R,) degC at step `first`."""
    held: list[bool]
    """Whether each group is closed when the day begins."""

    def decide(self) -> tuple[list[DayDecision], Array]:
        """The decision of each group, and the temperatures (R,) with which the next day begins."""
        suns = [self._sun(members) for members in self.groups]
        limit = self._limits(suns)
        path = self.response.predict(self.temperature, np.zeros(limit.shape, dtype=bool), self.first)
        excess = _above(path, limit)
        margins = [
            2 * MARGIN if held and sun.first == self.first else MARGIN
            for sun, held in zip(suns, self.held, strict=True)
        ]
        closing = [
            sun.shines and bool(excess[:, members].max() > -margin)
            for sun, members, margin in zip(suns, self.groups, margins, strict=True)
        ]
        intervals = [(self.last, self.last)] * len(suns)
        if any(closing):
            intervals, path = self._close(suns, closing, limit)
        planned = _above(path, limit)
        decisions = [
            DayDecision(members, sun, *interval, self._peaks(excess, members), self._peaks(planned, members), margin)
            for members, sun, interval, margin in zip(self.groups, suns, intervals, margins, strict=True)
        ]
        return decisions, path[min(self.last - self.first, len(path) - 1)]

    def _sun(self, members: list[int]) -> Sun:
        facade = np.fmax.reduce(self.horizon.irradiance[members, PAST:])
        today = facade[self.first : self.last]
        sunny = self.first + np.flatnonzero(today > SUN_ON_FACADE)
        brightest = float(np.fmax.reduce(today))
        if not len(sunny):
            return Sun(self.last, self.last, self.last, False, brightest)
        first, until = int(sunny[0]), int(sunny[-1]) + 1
        later = self.last + np.flatnonzero(facade[self.last :] > SUN_ON_FACADE)
        end = min(first + LOOK_AHEAD, int(later[0]) if len(later) else STEPS, STEPS)
        cold = bool(np.mean(self.horizon.outdoor[first:until]) < COLD_OUTSIDE)
        return Sun(first, until, end, cold, brightest)

    def _limits(self, suns: list[Sun]) -> Array:
        """(n, R) limit of each room, infinite where the day's sun is not asked about."""
        end = max([min(self.last + 1, STEPS), *(sun.end for sun in suns)])
        limit = np.full((end - self.first, len(self.temperature)), np.inf)
        for members, sun in zip(self.groups, suns, strict=True):
            limit[sun.first - self.first : sun.end - self.first, members] = self.setpoints.limit[
                sun.first : sun.end, None
            ]
        return limit

    def _close(self, suns: list[Sun], closing: list[bool], limit: Array) -> tuple[list[tuple[int, int]], Array]:
        """(lower_at, raise_at) of each group, and the path (n, R) that follows; every step of the day is tried at once.

        A candidate is the step of raising; for a group that lets the sun in first, the step of lowering.
        """
        starts = [max(self.first, sun.first - LEAD) for sun in suns]
        candidates = np.arange(min(starts), max(sun.until for sun in suns) + 1)
        steps = np.arange(self.first, self.first + len(limit))[:, None]
        shaded = np.zeros((len(limit), len(candidates), limit.shape[1]), dtype=bool)
        late = [sun.cold and not held for sun, held in zip(suns, self.held, strict=True)]
        for group, members in enumerate(self.groups):
            if closing[group]:
                lower, upper = (candidates, self.last) if late[group] else (starts[group], candidates)
                down = (steps >= lower) & (steps < np.minimum(upper, suns[group].until))
                shaded[:, :, members] = (down & ~self.blocked[steps])[:, :, None]
        tried = self.response.predict(self.temperature, shaded, self.first)
        worst = _above(tried, limit[:, None]).max(axis=0)
        intervals, path = [], tried[:, 0].copy()
        for group, members in enumerate(self.groups):
            if not closing[group]:
                intervals.append((self.last, self.last))
                continue
            margin = MARGIN if late[group] else 2 * MARGIN
            inside = (candidates > starts[group]) & (candidates < suns[group].until)
            fit = candidates[inside & (worst[:, members].max(axis=1) <= -margin)]
            interval = _choose(fit, starts[group], suns[group].until, late[group])
            chosen = interval[0] if late[group] else interval[1]
            path[:, members] = tried[:, chosen - candidates[0], members]
            intervals.append(interval)
        return intervals, path

    def _peaks(self, excess: Array, members: list[int]) -> list[Peak]:
        peaks = []
        for member in members:
            row = int(excess[:, member].argmax())
            above, step = float(excess[row, member]), self.first + row
            known = np.isfinite(above)
            peaks.append(Peak(above + self.setpoints.limit[step] if known else np.nan, step))
        return peaks


def _above(path: Array, limit: Array) -> Array:
    """Kelvin above the limit; minus infinity where the temperature is not known or not asked about."""
    return np.nan_to_num(path - limit, nan=-np.inf, neginf=-np.inf)


def _choose(fit: npt.NDArray[np.int64], start: int, until: int, late: bool) -> tuple[int, int]:
    """(lower_at, raise_at): the shortest interval among the candidates that fit, or all of the sun's time."""
    if late:
        return (int(fit[-1]) if len(fit) else start, until)
    return (start, int(fit[0]) if len(fit) else until)
