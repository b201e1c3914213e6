"""One sentence per stretch of the plan that a facility engineer understands: what, when, which number, which limit.

Sentences are plain ASCII without markup, times are local, and the same inputs give the same words.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.forecast_rule import MARGIN, DayDecision
from esus_pipeline.control.inputs import PAST, STEPS, Array, Horizon, Mask
from esus_pipeline.control.optimum_words import OptimumWords
from esus_pipeline.control.rules import OPEN, SAFETY, Rule
from esus_pipeline.control.safety import DWELL, MOVES_PER_DAY, OLDEST_FORECAST
from esus_pipeline.control.setpoints import Setpoints
from esus_pipeline.control.stretch import LONGEST, STEP_HOURS, Stretch, clock_words
from esus_pipeline.control.wish import Wish
from esus_pipeline.frames import STEP

_DWELL_HOURS = DWELL * STEP_HOURS
MINUTE = timedelta(minutes=1)


def explain(
    horizon: Horizon,
    setpoints: Setpoints,
    rules: npt.NDArray[np.object_],
    closed: Mask,
    wish: Wish,
    groups: list[list[int]],
    predicted: Array,
    why: Mapping[str, str],
) -> npt.NDArray[np.object_]:
    """(R, N) sentences for the rules (R, N) and positions (R, N) of a plan.

    `predicted` are its temperatures (R, N), degC; `why` says of rooms why they have no optimum.
    """
    sentences = np.empty(rules.shape, dtype=object)
    days = horizon.day - horizon.day[0]
    for room, name in enumerate(horizon.site.room_ids):
        own = [next((decision for decision in day if room in decision.members), None) for day in wish.decisions]
        members = next((group for group in groups if room in group), [room])
        words = OptimumWords(wish.view, members, predicted) if wish.view and wish.planned[room] else None
        state = horizon.shades.get(name)
        before = state is not None and state.position > OPEN
        edges = [0, *_changes(rules[room], closed[room], days), STEPS]
        for first, last in pairwise(edges):
            now = bool(closed[room, first])
            decision = own[days[first]] if own else None
            stretch = Stretch(horizon, setpoints, room, first, last, now, before, decision)
            sentences[room, first:last] = _sentence(rules[room, first], stretch, words, why.get(name, ""))
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


def _sentence(rule: Rule, stretch: Stretch, words: OptimumWords | None, why: str) -> str:
    if rule in _OTHERS:
        return _OTHERS[rule](stretch)
    if words is not None:
        return words.sentence(rule, stretch)
    if stretch.decision is None:
        return f"{stretch.lead}: the tuned rule has nothing to say here"
    told = _FORECAST[rule](stretch, stretch.decision)
    return _joined(told, f"tuned rule, because {why}" if why else "")


def with_window(reason: str) -> str:
    """The sentence of a room with an open window."""
    more = "a window is open: heating and cooling off"
    while len(reason) + len(more) + 2 > LONGEST and ";" in reason:
        reason = reason.rpartition(";")[0]
    return _joined(reason[: LONGEST - len(more) - 2], more)


def _joined(told: str, more: str) -> str:
    """One sentence of at most LONGEST plain characters."""
    text = f"{told}; {more}" if more else told
    return re.sub(r"[^A-Za-z0-9 .,:;/-]", " ", text)[:LONGEST]


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
    return f"{_open_in_sun(stretch, decision, 'the heat of the sun')}; {outdoor:z.0f} degC outside"


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
    window = horizon.wind[max(0, PAST + stretch.first - hold) : PAST + stretch.last + 1]
    until = f" until {stretch.clock(stretch.last)}" if stretch.last < STEPS else ""
    strongest = float(np.fmax.reduce(window))
    now = f"{stretch.lead} because of wind{until}"
    if np.isnan(strongest) or strongest <= wind.release_below:
        return f"{now}: it was over {wind.retract_above:.1f} m/s and is not known to be below {wind.release_below:.1f}"
    return f"{now}: up to {strongest:.1f} m/s, limit {wind.retract_above:.1f}, released below {wind.release_below:.1f}"


def _protected(stretch: Stretch) -> str:
    return f"{stretch.lead}: the wind protection of the building holds the shades up"


def _wind_unknown(stretch: Stretch) -> str:
    age = stretch.horizon.measured.wind_age
    known = (
        f"the newest wind reading is {age / MINUTE:.0f} minutes old" if age is not None else "no reading of the wind"
    )
    who = "the sun asks for shade" if stretch.decisive_override is None else "somebody put it down by hand"
    return f"{stretch.lead}, not lowered now although {who}: {known}"


def _manual(stretch: Stretch) -> str:
    room = stretch.decisive_override or stretch.name
    override = stretch.horizon.overrides[room]
    zone, own = stretch.horizon.site.zone, stretch.horizon.local[stretch.first]
    since, until = (clock_words(moment.astimezone(zone), own) for moment in (override.since, override.until))
    whose = "" if room == stretch.name else f" in {room}"
    return f"kept {'lowered' if stretch.closed else 'open'}: moved by hand{whose} at {since}, respected until {until}"


def _glare(stretch: Stretch) -> str:
    horizon = stretch.horizon
    now = float(np.nan_to_num(horizon.sun_now[stretch.room]))
    limit = horizon.site.control.glare_above or 0.0
    where = "" if stretch.occupied_room == stretch.name else f" {stretch.occupied_room}"
    return f"{stretch.lead}: somebody is in{where} and the {stretch.facade} has {now:.0f} W/m2, glare limit {limit:.0f}"


def _safe(what: Callable[[Stretch], str]) -> Callable[[Stretch], str]:
    return lambda stretch: f"{stretch.lead}, safe plan: {what(stretch)}"


def _from(stretch: Stretch) -> str:
    return f" from {stretch.clock(stretch.first)} on" if stretch.first else ""


def _age(stretch: Stretch) -> str:
    age = stretch.horizon.forecast_age
    hours = age.total_seconds() / 3600 if age is not None else 0.0
    limit = OLDEST_FORECAST.total_seconds() / 3600
    return f"the weather forecast is {hours:.1f} h old, limit {limit:.0f} h"


_FORECAST: dict[Rule, Callable[[Stretch, DayDecision], str]] = {
    Rule.CLOSE_BEFORE_SUN: _close_before_sun,
    Rule.CLOSE_WHEN_WARM: _close_when_warm,
    Rule.OPEN_FOR_GAIN: _open_for_gain,
    Rule.OPEN_FOR_VIEW: _open_for_view,
    Rule.OPEN_NO_SUN: _open_no_sun,
}
_OTHERS: dict[Rule, Callable[[Stretch], str]] = {
    Rule.NO_SHADE: lambda stretch: "no shade to move",
    Rule.PROTECTED: _protected,
    Rule.WIND: _wind,
    Rule.MANUAL: _manual,
    Rule.WIND_UNKNOWN: _wind_unknown,
    Rule.GLARE: _glare,
    Rule.MISSING_FORECAST: _safe(lambda stretch: f"no weather forecast{_from(stretch)}"),
    Rule.STALE_FORECAST: _safe(_age),
    Rule.MISSING_WIND: _safe(lambda stretch: f"no wind forecast{_from(stretch)}"),
    Rule.MISSING_GAINS: _safe(lambda stretch: f"no estimate of the sun on the {stretch.facade}{_from(stretch)}"),
    Rule.MISSING_TEMPERATURE: _safe(lambda stretch: "no fresh temperature of a room whose shade moves with this one"),
    Rule.HOLD: _hold,
}
