"""One sentence per stretch of the plan that a facility engineer understands: what, when, which number, which limit.

Sentences are plain ASCII without markup, times are local, and the same inputs give the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.forecast_rule import MARGIN, DayDecision
from esus_pipeline.control.inputs import PAST, STEPS, Horizon, Mask
from esus_pipeline.control.rules import OPEN, SAFETY, Rule
from esus_pipeline.control.safety import DWELL, MOVES_PER_DAY, OLDEST_FORECAST
from esus_pipeline.control.setpoints import Setpoints
from esus_pipeline.frames import STEP

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STEP_HOURS = STEP.total_seconds() / 3600
_DWELL_HOURS = DWELL * _STEP_HOURS


@dataclass(frozen=True)
class Stretch:
    """Consecutive steps first .. last - 1 of one room with the same rule and position."""

    horizon: Horizon
    setpoints: Setpoints
    room: int
    first: int
    last: int
    closed: bool
    closed_before: bool
    decision: DayDecision | None
    """Of the room's group and the day; None for a room without a shade."""

    @property
    def name(self) -> str:
        """The room."""
        return self.horizon.site.room_ids[self.room]

    @property
    def facade(self) -> str:
        """The room's facade in words."""
        names = list(dict.fromkeys(window.facade for window in self.horizon.site.rooms[self.room].windows))
        return f"{' and '.join(names)} facade" + "s" * (len(names) > 1)

    @property
    def lead(self) -> str:
        """How the stretch begins: with a move, or with the shade where it was."""
        if self.closed != self.closed_before:
            return f"{'lowered' if self.closed else 'raised'} at {self.clock(self.first)}"
        state = self.horizon.shades.get(self.name)
        if self.closed and self.first == 0 and state is not None and state.since is not None:
            return f"lowered since {_clock(state.since.astimezone(self.horizon.site.zone), self.horizon.local[0])}"
        return "kept lowered" if self.closed else "open"

    def clock(self, step: int) -> str:
        """Local time of a step, with the weekday where that is not the stretch's own."""
        return _clock(self.horizon.local[step], self.horizon.local[self.first])

    def sun(self, room: int, first: int, last: int) -> float:
        """Energy through the open windows of a room in steps first .. last - 1, kWh."""
        return float(np.sum(self.horizon.gain_open[room, first:last])) * _STEP_HOURS / 1000


def explain(
    horizon: Horizon,
    setpoints: Setpoints,
    rules: npt.NDArray[np.object_],
    closed: Mask,
    decisions: list[list[DayDecision]],
) -> npt.NDArray[np.object_]:
    """(R, N) sentences for the rules (R, N) and positions (R, N) of a plan."""
    sentences = np.empty(rules.shape, dtype=object)
    days = horizon.day - horizon.day[0]
    for room, name in enumerate(horizon.site.room_ids):
        own = [next((decision for decision in day if room in decision.members), None) for day in decisions]
        state = horizon.shades.get(name)
        before = state is not None and state.position > OPEN
        edges = [0, *_changes(rules[room], closed[room], days), STEPS]
        for first, last in pairwise(edges):
            now = bool(closed[room, first])
            stretch = Stretch(horizon, setpoints, room, first, last, now, before, own[days[first]])
            sentences[room, first:last] = _sentence(rules[room, first], stretch)
            before = now
    return sentences


def _changes(rules: npt.NDArray[np.object_], closed: Mask, days: npt.NDArray[np.int64]) -> list[int]:
    """Steps at which a new stretch begins; midnight ends one unless a safety rule goes on."""
    pairs = zip(rules[1:], rules[:-1], np.diff(closed), np.diff(days), strict=True)
    return [
        step
        for step, (rule, former, moved, midnight) in enumerate(pairs, start=1)
        if rule != former or moved or (midnight and rule not in SAFETY)
    ]


def _sentence(rule: Rule, stretch: Stretch) -> str:
    if stretch.decision is not None and rule in _FORECAST:
        return _FORECAST[rule](stretch, stretch.decision)
    return _OTHERS[rule](stretch)


def _close_before_sun(stretch: Stretch, decision: DayDecision) -> str:
    sun = decision.sun
    arrival = f"the sun is on the {stretch.facade} until {stretch.clock(sun.until)}"
    if sun.first > stretch.first:
        arrival = f"the sun reaches the {stretch.facade} at {stretch.clock(sun.first)}"
    return f"{stretch.lead}: {arrival}; {_too_warm(stretch, decision, max(sun.first, stretch.first))}"


def _close_when_warm(stretch: Stretch, decision: DayDecision) -> str:
    return f"{stretch.lead}: enough of the sun was let in; {_too_warm(stretch, decision, stretch.first)}"


def _too_warm(stretch: Stretch, decision: DayDecision, since: int) -> str:
    """What would happen with an open shade, in the room itself or else in the room that decided for the group."""
    own = decision.members.index(stretch.room)
    over = [_over(stretch, decision, member) for member in range(len(decision.members))]
    decisive = own if over[own] else over.index(True)
    room, peak = decision.members[decisive], decision.open_peak[decisive]
    name = stretch.horizon.site.room_ids[room]
    limit = stretch.setpoints.limit[peak.step] - decision.margin
    together = "" if decisive == own else f"; {stretch.name} moves with it"
    if peak.step <= since:
        return f"{name} is at {peak.temperature:.1f} degC already, limit {limit:.1f}{together}"
    energy = stretch.sun(room, since, peak.step)
    heat = f"{energy:.1f} kWh by {stretch.clock(peak.step)} would lift {name} to {peak.temperature:.1f} degC"
    return f"{heat}, limit {limit:.1f}{together}"


def _over(stretch: Stretch, decision: DayDecision, member: int) -> bool:
    peak = decision.open_peak[member]
    return peak.temperature - stretch.setpoints.limit[peak.step] > -decision.margin


def _open_in_sun(stretch: Stretch, decision: DayDecision, why: str) -> str:
    peak = decision.planned_peak[decision.members.index(stretch.room)]
    lead = stretch.lead if stretch.closed_before else f"{stretch.lead} for {why}"
    energy = stretch.sun(stretch.room, stretch.first, stretch.last)
    until = stretch.clock(stretch.last)
    if np.isnan(peak.temperature + energy):
        return f"{lead}: the rooms of its group stay within their limits; no prediction for {stretch.name} itself"
    limit = stretch.setpoints.limit[peak.step] - MARGIN
    reaches = f"{stretch.name} reaches {peak.temperature:.1f} degC at {stretch.clock(peak.step)}, limit {limit:.1f}"
    return f"{lead}: {energy:.1f} kWh of sun until {until}; {reaches}"


def _open_for_gain(stretch: Stretch, decision: DayDecision) -> str:
    outdoor = float(np.mean(stretch.horizon.outdoor[stretch.first : stretch.last]))
    return f"{_open_in_sun(stretch, decision, 'the heat of the sun')}; {outdoor:.0f} degC outside"


def _open_for_view(stretch: Stretch, decision: DayDecision) -> str:
    return _open_in_sun(stretch, decision, "daylight and view")


def _open_no_sun(stretch: Stretch, decision: DayDecision) -> str:
    sun = decision.sun
    if not sun.shines:
        if not sun.brightest >= 1:
            return f"{stretch.lead}: no sun on the {stretch.facade}"
        return f"{stretch.lead}: little sun on the {stretch.facade}, at most {sun.brightest:.0f} W/m2"
    if stretch.first >= sun.until:
        return f"{stretch.lead}: the sun has left the {stretch.facade}"
    return f"{stretch.lead}: the sun reaches the {stretch.facade} at {stretch.clock(sun.first)}"


def _hold(stretch: Stretch) -> str:
    if stretch.closed:
        return f"{stretch.lead}: no longer needed, but it moved less than {_DWELL_HOURS:.0f} h ago"
    return (
        f"{stretch.lead} although the sun asks for shade: at most one move in {_DWELL_HOURS:.0f} h and "
        f"{MOVES_PER_DAY} a day, and none shortly before a stop"
    )


def _wind(stretch: Stretch) -> str:
    horizon, wind = stretch.horizon, stretch.horizon.site.wind
    hold = -(-wind.hold_minutes * 60 // int(STEP.total_seconds()))
    window = horizon.gust[max(0, PAST + stretch.first - hold) : PAST + stretch.last + 1]
    until = f" until {stretch.clock(stretch.last)}" if stretch.last < STEPS else ""
    strongest = float(np.fmax.reduce(window))
    now = f"{stretch.lead} because of wind{until}"
    if np.isnan(strongest) or strongest <= wind.release_below:
        return f"{now}: it was over {wind.retract_above:.1f} m/s and is not known to be below {wind.release_below:.1f}"
    return f"{now}: up to {strongest:.1f} m/s, limit {wind.retract_above:.1f}, released below {wind.release_below:.1f}"


def _safe(what: Callable[[Stretch], str]) -> Callable[[Stretch], str]:
    return lambda stretch: f"{stretch.lead}, safe plan: {what(stretch)}"


def _from(stretch: Stretch) -> str:
    return f" from {stretch.clock(stretch.first)} on" if stretch.first else ""


def _age(stretch: Stretch) -> str:
    age = stretch.horizon.forecast_age
    hours = age.total_seconds() / 3600 if age is not None else 0.0
    limit = OLDEST_FORECAST.total_seconds() / 3600
    return f"the weather forecast is {hours:.1f} h old, limit {limit:.0f} h"


def _clock(local: datetime, own: datetime) -> str:
    return f"{local:%H:%M}" if local.date() == own.date() else f"{_WEEKDAYS[local.weekday()]} {local:%H:%M}"


_FORECAST: dict[Rule, Callable[[Stretch, DayDecision], str]] = {
    Rule.CLOSE_BEFORE_SUN: _close_before_sun,
    Rule.CLOSE_WHEN_WARM: _close_when_warm,
    Rule.OPEN_FOR_GAIN: _open_for_gain,
    Rule.OPEN_FOR_VIEW: _open_for_view,
    Rule.OPEN_NO_SUN: _open_no_sun,
}
_OTHERS: dict[Rule, Callable[[Stretch], str]] = {
    Rule.NO_SHADE: lambda stretch: "no shade to move",
    Rule.WIND: _wind,
    Rule.MISSING_FORECAST: _safe(lambda stretch: f"no weather forecast{_from(stretch)}"),
    Rule.STALE_FORECAST: _safe(_age),
    Rule.MISSING_WIND: _safe(lambda stretch: f"no wind forecast{_from(stretch)}"),
    Rule.MISSING_GAINS: _safe(lambda stretch: f"no estimate of the sun on the {stretch.facade}{_from(stretch)}"),
    Rule.MISSING_TEMPERATURE: _safe(lambda stretch: "no fresh temperature of a room whose shade moves with this one"),
    Rule.HOLD: _hold,
}
