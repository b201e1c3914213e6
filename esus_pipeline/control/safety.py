"""What overrules the sun: wind, missing inputs, and limits on how often a shade may move.

The building's own wind protection acts first and does not depend on any of this. A fresh reading of the wind can raise
a shade; an old or missing one forbids to lower it and says nothing else: the building's readings can be hours late.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.hysteresis import hysteresis
from esus_pipeline.control.inputs import PAST, Array, Horizon, Mask, ShadeState
from esus_pipeline.control.rules import CLOSED, OPEN, Rule
from esus_pipeline.frames import STEP

OLDEST_FORECAST = timedelta(hours=6)
"""An older forecast is not acted upon."""
WIND_LEAD = 1
"""Steps by which shades are up before the wind is forecast to pass the limit."""
DWELL = 4
"""Steps that a shade stays where it is after a move (1 hour); safety is exempt."""
LEAST_DOWN = 4
"""Steps for which a shade is lowered at least (1 hour): for less before a strong wind, it is left up."""
UNTIL_NEXT_READING = 2
"""Steps for which a missing or old reading of the wind forbids to lower a shade; the next plans decide anew."""
MOVES_PER_DAY = 6
"""Moves of a shade per local day; safety is exempt."""


def wind_block(horizon: Horizon) -> Mask:
    """(N,) whether the shades must be up: from before the limit is passed until the hold time after the release."""
    wind = horizon.site.wind
    over = hysteresis(horizon.wind, wind.retract_above, wind.release_below)
    hold = -(-timedelta(minutes=wind.hold_minutes) // STEP)
    blocked = over.copy()
    blocked[:-WIND_LEAD] |= over[WIND_LEAD:]
    for lag in range(1, hold + 1):
        blocked[lag:] |= over[:-lag]
    return blocked[PAST:]


def missing_inputs(horizon: Horizon, groups: list[list[int]]) -> npt.NDArray[np.object_]:
    """(R, N) the rule that asks for the safe plan at each step; empty where none does.

    Without weather or sun a prediction ends, so these count from the first gap to the end of the plan. A group is
    judged by those of its rooms that can be; only where none can is it missing a temperature or a gain.
    """
    cause = np.full((len(horizon.site.rooms), horizon.steps), "", dtype=object)
    no_gain = _from_first(np.isnan(horizon.gain_open + horizon.gain_shaded + horizon.irradiance[:, PAST:]))
    no_temperature = np.isnan(horizon.temperature)
    for members in groups:
        blind = no_gain[members] | no_temperature[members, None]
        silent = np.where(no_gain[members].all(axis=0), Rule.MISSING_GAINS, Rule.MISSING_TEMPERATURE)
        cause[members] = np.where(blind.all(axis=0), silent, "")
    cause[:, ~horizon.wind_forecast] = Rule.MISSING_WIND
    cause[:, _from_first(np.isnan(horizon.outdoor))] = Rule.MISSING_FORECAST
    if horizon.forecast_age is None:
        cause[:] = Rule.MISSING_FORECAST
    elif horizon.forecast_age > OLDEST_FORECAST:
        cause[:] = Rule.STALE_FORECAST
    return cause


def _from_first(gap: Mask) -> Mask:
    return np.logical_or.accumulate(gap, axis=-1)


def protected(horizon: Horizon) -> Mask:
    """(N,) whether the building's own wind protection is known to hold the shades up, and must be taken to go on."""
    hold = -(-timedelta(minutes=horizon.site.wind.hold_minutes) // STEP)
    return (np.arange(horizon.steps) <= hold) & (horizon.measured.released == 0)


def lowerable(horizon: Horizon) -> Mask:
    """(N,) whether the wind is known well enough to lower a shade; without a fresh reading not until there is one."""
    return (np.arange(horizon.steps) >= UNTIL_NEXT_READING) | horizon.measured.wind_fresh


def nearly_closed(position: Array | float) -> Mask:
    """Whether positions are nearer to closed than to open, for what knows only these two."""
    return np.asarray(position) > (OPEN + CLOSED) / 2


@dataclass(frozen=True)
class Held:
    """Where a group's shade stands when the plan begins."""

    position: float = OPEN
    """0 open .. 1 closed; between the two where a hand put it."""
    steps_since_move: int = DWELL
    moves_today: int = 0

    @property
    def closed(self) -> bool:
        """Whether it is nearer to closed than to open."""
        return bool(nearly_closed(self.position))


def held_state(horizon: Horizon, members: list[int]) -> Held:
    """What the group was last told; a group that was never told anything counts as open and free to move."""
    ids = [horizon.site.room_ids[member] for member in members]
    states: list[ShadeState] = [horizon.shades[room] for room in ids if room in horizon.shades]
    moved = [state.since for state in states if state.since is not None and not state.by_safety]
    return Held(
        position=max((state.position for state in states), default=OPEN),
        steps_since_move=max(0, (horizon.as_of - max(moved)) // STEP) if moved else DWELL,
        moves_today=max((state.moves_today for state in states), default=0),
    )


@dataclass(frozen=True)
class Limits:
    """What a group's shade may do at each step, all (N,)."""

    up: Mask
    """It must be up."""
    lowerable: Mask
    """It may be lowered."""
    hand: Array
    """Where somebody put it and it stays, 0 open .. 1 closed; NaN where nobody did."""


def settle(wanted: Mask, limits: Limits, day: npt.NDArray[np.int64], held: Held) -> Array:
    """(N,) where the shade stands, 0 open .. 1 closed, after the limits on movement.

    A step that must be up opens at once and is no counted move, and nothing waits for it. Where somebody put the shade
    it stays, but it is not lowered there without a reading of the wind that allows it. Else a shade is lowered only
    when nothing known forbids it for LEAST_DOWN steps and a move is left to raise it again; raising is never refused
    for the day's limit.
    """
    position, since, moves = held.position, held.steps_since_move, held.moves_today
    asked = np.where(wanted, CLOSED, OPEN)
    path = np.zeros(len(wanted))
    for step in range(len(wanted)):
        if step and day[step] != day[step - 1]:
            moves = 0
        hand = limits.hand[step]
        if limits.up[step]:
            since = since if position == OPEN else DWELL
            position = OPEN
        elif not np.isnan(hand):
            if hand < position or (hand > position and limits.lowerable[step]):
                position, since = float(hand), 0
        elif asked[step] != position and since >= DWELL and (not wanted[step] or _may_lower(limits, step, moves)):
            position, since, moves = float(asked[step]), 0, moves + 1
        path[step] = position
        since += 1
    return path


def _may_lower(limits: Limits, step: int, moves: int) -> bool:
    free = not limits.up[step : step + LEAST_DOWN].any()
    return moves + 2 <= MOVES_PER_DAY and bool(limits.lowerable[step]) and free
