"""Whether a room's day says something of the plan: only where the plan is what happened, or is mere advice."""

from collections import Counter
from enum import StrEnum

import numpy as np

from esus_pipeline.control.override import AGREES
from esus_pipeline.control.rules import SAFETY, Rule
from esus_pipeline.control.savings.known import QUARTERS
from esus_pipeline.control.savings.room_day import WORDS, RoomDay

ELSEWHERE = 4
"""Quarters of an hour of a day in which a shade or setpoint may stand elsewhere than told: a change takes its time."""
SETPOINT_AGREES = 0.5
"""K between a setpoint and what was told that counts as the same."""
SAFE = frozenset(SAFETY - {Rule.WIND, Rule.PROTECTED})
"""Rules of the safe plan, which is made where inputs are missing."""


class Outcome(StrEnum):
    """What a room's day can be used for, as it stands in the column `outcome`."""

    CARRIED_OUT = "carried_out"
    ADVICE = "advice"
    READINGS_MISSING = "readings_missing"
    NO_MODEL = "no_model"
    PLAN_MISSING = "plan_missing"
    SAFE_PLAN = "safe_plan"
    MOVED_BY_HAND = "moved_by_hand"
    NOT_OBEYED = "not_obeyed"


LEFT_OUT = {
    Outcome.READINGS_MISSING: "with missing readings",
    Outcome.NO_MODEL: "without a learned model",
    Outcome.PLAN_MISSING: "without a plan",
    Outcome.SAFE_PLAN: "on the safe plan",
    Outcome.MOVED_BY_HAND: "with a shade moved by hand",
    Outcome.NOT_OBEYED: "on which the building did not do as it was told",
}
"""Days that do not count, and how to say so behind a number of room-days."""


def outcome_of(day: RoomDay, learned: bool) -> tuple[Outcome, str]:
    """What the day can be used for, and why it is left out in a sentence (empty where it counts).

    Args:
        day: the room's day.
        learned: whether the room had a learned model at its end.
    """
    if day.history is None:
        return Outcome.READINGS_MISSING, "the readings stored do not span the whole day"
    if lacking := day.lacking():
        named = ", ".join(f"{WORDS[name]} {count}" for name, count in lacking.items())
        return Outcome.READINGS_MISSING, f"quarters of an hour of {QUARTERS} without a reading: {named}"
    if untold := day.untold():
        return Outcome.PLAN_MISSING, f"no plan was in force in {untold} of {QUARTERS} quarters of an hour"
    if not learned:
        return Outcome.NO_MODEL, "the room had no learned model yet"
    won = Counter(day.rules.iloc[QUARTERS:])
    safe = {rule: won[rule] for rule in SAFE if won[rule]}
    if sum(safe.values()) > ELSEWHERE:
        names = ", ".join(sorted(safe))
        return Outcome.SAFE_PLAN, f"the safe plan was in force in {sum(safe.values())} quarters of an hour: {names}"
    if day.site.control.mode != "active":
        return Outcome.ADVICE, ""
    if by_hand := won[Rule.MANUAL]:
        return Outcome.MOVED_BY_HAND, f"a hand held the shade for {by_hand} quarters of an hour"
    if disobeyed := _disobeyed(day):
        return Outcome.NOT_OBEYED, disobeyed
    return Outcome.CARRIED_OUT, ""


def _disobeyed(day: RoomDay) -> str:
    """What stood elsewhere than told; empty where the building did as it was told, as far as that is measured."""
    stood = day.history.shade if day.history is not None and day.has_shade else day.plan.shade
    pairs = {
        "shade": (stood, day.plan.shade, AGREES),
        "heating setpoint": (day.thermostat.heating, day.plan.heating, SETPOINT_AGREES),
        "cooling setpoint": (day.thermostat.cooling, day.plan.cooling, SETPOINT_AGREES),
    }
    for what, (seen, told, allowed) in pairs.items():
        elsewhere = int((np.abs(seen[-QUARTERS:] - told[-QUARTERS:]) > allowed).sum())
        if elsewhere > ELSEWHERE:
            return f"the {what} stood elsewhere than told in {elsewhere} quarters of an hour"
    return ""
