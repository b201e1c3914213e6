"""The plan of the next 36 hours. The order of precedence stands here and nowhere else.

    no shade to move  >  wind protection of the building  >  wind  >  missing inputs (safe plan)  >  moved by hand
    >  glare with people in the room  >  the optimum, or the tuned rule where there is none
    within the limits on movement, and nothing is lowered without a fresh reading of the wind, not for a hand either

Rooms of one shade group move together: the group is closed if any of its rooms asks for it, and opened for all. Under
a hand they stand where it put the shade, which may be between open and closed; words and predictions take the nearer.
Setpoints follow the calendar in every case, the safe plan included, because they need no input that can be missing;
the optimum may only heat or cool earlier. An open window turns heating and cooling off.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from esus_pipeline.control.baseline import baseline_positions
from esus_pipeline.control.explanation import explain, with_window
from esus_pipeline.control.groups import shade_groups
from esus_pipeline.control.inputs import STEPS, Array, Horizon, Mask, PlanInputs, read_horizon
from esus_pipeline.control.measured import NOW, TEMPERATURE_RANGE, plausible
from esus_pipeline.control.optimiser.follow import Commands, follow_setpoints
from esus_pipeline.control.optimiser.optimum import Optimum, current
from esus_pipeline.control.optimiser.quarters import Quarters
from esus_pipeline.control.room_response import make_response
from esus_pipeline.control.rules import CLOSED, OPEN, Rule
from esus_pipeline.control.safety import (
    DWELL,
    Held,
    Limits,
    held_state,
    lowerable,
    missing_inputs,
    nearly_closed,
    protected,
    settle,
    wind_block,
)
from esus_pipeline.control.setpoint_words import explain_setpoints
from esus_pipeline.control.setpoints import make_setpoints
from esus_pipeline.control.trace import Claim, Decision, trace_rows
from esus_pipeline.control.wish import Wish, make_wish
from esus_pipeline.frames import SHADE_SETPOINT_SCHEDULE, STEP, TIMESTAMP

COMMAND = ["issued_at", "room", "valid_time", "shade_position", "heating_setpoint", "cooling_setpoint", "rule"]
"""Columns of frames.SHADE_SETPOINT_SCHEDULE that later plans look back at."""


@dataclass(frozen=True)
class Plan:
    """A plan and the trace of its first 15 minutes."""

    table: pa.Table
    """frames.SHADE_SETPOINT_SCHEDULE."""
    trace: list[dict[str, Any]]
    """Rows of frames.DECISION_TRACE, for `trace.trace_frame`."""

    @cached_property
    def schedule(self) -> pd.DataFrame:
        """The table as a data frame."""
        return self.table.to_pandas()

    @property
    def commands(self) -> pd.DataFrame:
        """COMMAND of the row of each room that counts from `issued_at` on."""
        return self.table.select(COMMAND).take(np.arange(0, len(self.table), STEPS)).to_pandas()


def make_plan(inputs: PlanInputs, optimum: Optimum | None = None) -> pd.DataFrame:
    """The schedule of `decide`: 144 rows per room, whatever is missing."""
    return decide(inputs, optimum).schedule


def decide(inputs: PlanInputs, optimum: Optimum | None = None) -> Plan:
    """The plan from `as_of` on. Without an optimum that is young enough, the tuned rule says what is wanted.

    Raises:
        ValueError: `as_of` has no zone or is not on a full quarter of an hour.
    """
    horizon = read_horizon(inputs)
    if not current(optimum, horizon.as_of):
        optimum = None
    setpoints = make_setpoints(horizon)
    response = make_response(horizon, setpoints)
    layer = _Layer.of(horizon, shade_groups(horizon.site))
    wish = make_wish(horizon, setpoints, response, layer.groups, layer.blocked, optimum)
    positions, rules = layer.settle(wish)
    closed = nearly_closed(positions)
    followed = [int(room) for room in np.flatnonzero(wish.planned & np.isfinite(horizon.temperature))]
    quarters = None
    if optimum is not None and followed:
        quarters = Quarters.ahead(inputs, horizon, setpoints, closed, optimum, followed)
    commands = follow_setpoints(horizon, setpoints, optimum, quarters)
    predicted = response.predict(horizon.temperature, closed.T).T
    if quarters is not None:
        path = quarters.path(commands.heating[followed], commands.cooling[followed])
        predicted[followed] = plausible(path, *TEMPERATURE_RANGE)
    why = optimum.why if optimum is not None else {}
    reasons = explain(horizon, setpoints, rules, closed, wish, layer.groups, predicted, why)
    commands, reasons = _window(horizon, commands, reasons)
    decisions = layer.decisions(wish, positions, rules)
    preheated, warmed = (quarters.rooms, quarters.warmed) if quarters is not None else ([], [])
    told = explain_setpoints(horizon, setpoints, commands, preheated, warmed, why)
    baseline = baseline_positions(horizon, layer.blocked)
    table = _table(horizon, commands, positions, rules, reasons, predicted, baseline, told)
    age = horizon.as_of - optimum.issued_at if optimum is not None else None
    return Plan(table, trace_rows(horizon, decisions, age, wish.planned, why))


@dataclass(frozen=True)
class _Layer:
    """The rules that overrule a wish; masks are (N,), or (R, N)."""

    horizon: Horizon
    groups: list[list[int]]
    protected: Mask
    blocked: Mask
    """By wind, measured or forecast."""
    missing: npt.NDArray[np.object_]
    """(R, N) the rule of the safe plan, empty where nothing is missing."""
    lowerable: Mask
    hand: Array
    """(R, N) where somebody put the shade, 0 open .. 1 closed; NaN where nobody did."""
    glare: Mask

    @classmethod
    def of(cls, horizon: Horizon, groups: list[list[int]]) -> "_Layer":
        return cls(
            horizon=horizon,
            groups=groups,
            protected=protected(horizon),
            blocked=wind_block(horizon),
            missing=missing_inputs(horizon, groups),
            lowerable=lowerable(horizon),
            hand=_hand(horizon, groups),
            glare=_glare(horizon, groups),
        )

    def limits(self, members: list[int]) -> Limits:
        """What a group's shade may do."""
        return Limits(
            up=self.protected | self.blocked | (self.missing[members[0]] != ""),
            lowerable=self.lowerable,
            hand=self.hand[members[0]],
        )

    def settle(self, wish: Wish) -> tuple[Array, npt.NDArray[np.object_]]:
        """Positions (R, N; 0 open .. 1 closed) and the rule that won each of them."""
        horizon = self.horizon
        wanted = wish.closed | self.glare
        positions = np.zeros(wanted.shape)
        for members in self.groups:
            limits = self.limits(members)
            positions[members] = settle(wanted[members[0]], limits, horizon.day, held_state(horizon, members))
        rules = wish.rules.copy()
        rules[self.glare] = Rule.GLARE
        refused = positions != np.where(wanted, CLOSED, OPEN)
        rules[refused] = Rule.HOLD
        rules[refused & wanted & ~self.lowerable] = Rule.WIND_UNKNOWN
        rules[~np.isnan(self.hand)] = Rule.MANUAL
        rules[positions < self.hand] = Rule.WIND_UNKNOWN
        safe = self.missing != ""
        rules[safe] = self.missing[safe]
        rules[:, self.blocked] = Rule.WIND
        rules[:, self.protected] = Rule.PROTECTED
        shaded = {room for members in self.groups for room in members}
        rules[[room for room in range(len(rules)) if room not in shaded]] = Rule.NO_SHADE
        return positions, rules

    def decisions(self, wish: Wish, positions: Array, rules: npt.NDArray[np.object_]) -> list[Decision]:
        """What was decided for the first step, and who asked for what."""
        horizon, found = self.horizon, []
        for room in range(len(horizon.site.rooms)):
            members = next((members for members in self.groups if room in members), [])
            held = held_state(horizon, members) if members else Held()
            found.append(
                Decision(
                    room=room,
                    rule=rules[room, 0],
                    position=float(positions[room, 0]),
                    wanted=bool(wish.closed[room, 0]),
                    claims=self._claims(room, wish) if members else [],
                    held=held,
                    until=self._until(room, rules[room, 0], held),
                )
            )
        return found

    def _claims(self, room: int, wish: Wish) -> list[Claim]:
        hand = self.hand[room, 0]
        asked = [
            (self.protected[0], Rule.PROTECTED, "open"),
            (self.blocked[0], Rule.WIND, "open"),
            (self.missing[room, 0] != "", self.missing[room, 0], "open"),
            (not np.isnan(hand), Rule.MANUAL, _words(hand)),
            (self.glare[room, 0], Rule.GLARE, "closed"),
            (not self.lowerable[0], Rule.WIND_UNKNOWN, "not lowered"),
            (True, wish.rules[room, 0], "closed" if wish.closed[room, 0] else "open"),
        ]
        return [Claim(rule, what) for active, rule, what in asked if active]

    def _until(self, room: int, rule: Rule, held: Held) -> datetime | None:
        horizon = self.horizon
        if rule == Rule.MANUAL:
            names = [horizon.site.room_ids[other] for members in self.groups if room in members for other in members]
            return max(horizon.overrides[name].until for name in names if name in horizon.overrides)
        if rule == Rule.HOLD and held.steps_since_move < DWELL:
            return horizon.as_of + (DWELL - held.steps_since_move) * STEP
        if rule in (Rule.WIND, Rule.PROTECTED):
            mask = self.blocked if rule == Rule.WIND else self.protected
            return horizon.as_of + int(np.argmin(mask)) * STEP if not mask.all() else None
        return None


def _words(position: float) -> str:
    return {OPEN: "open", CLOSED: "closed"}.get(position, f"{position:.0%} closed")


def _hand(horizon: Horizon, groups: list[list[int]]) -> Array:
    """(R, N) where the last hand put the shade, NaN for none: all rooms of a group, for they hang on one output."""
    hand = np.full((len(horizon.site.rooms), horizon.steps), np.nan)
    for members in groups:
        names = [horizon.site.room_ids[room] for room in members]
        overrides = [horizon.overrides[name] for name in names if name in horizon.overrides]
        for override in sorted(overrides, key=lambda override: override.since):
            hand[members, : max(0, -(-(override.until - horizon.as_of) // STEP))] = override.position
    return hand


def _glare(horizon: Horizon, groups: list[list[int]]) -> Mask:
    """(R, N) where somebody is seen in a room of the group while the sun on its facade would dazzle."""
    mask = np.zeros((len(horizon.site.rooms), horizon.steps), dtype=bool)
    limit = horizon.site.control.glare_above
    if limit is None:
        return mask
    with np.errstate(invalid="ignore"):
        dazzled = (horizon.measured.present > 0) & (horizon.sun_now > limit)
    for members in groups:
        mask[members, :NOW] = dazzled[members].any()
    return mask


def _window(
    horizon: Horizon, commands: Commands, reasons: npt.NDArray[np.object_]
) -> tuple[Commands, npt.NDArray[np.object_]]:
    """Heating and cooling off, as far as setpoints can say so, while a window is open."""
    rooms = np.flatnonzero(np.nan_to_num(horizon.measured.window_open) > 0)
    if not len(rooms):
        return commands, reasons
    band = horizon.site.comfort.unoccupied
    heating, cooling, reasons = commands.heating.copy(), commands.cooling.copy(), reasons.copy()
    heating[rooms, :NOW], cooling[rooms, :NOW] = band.low, band.high
    for room in rooms:
        reasons[room, :NOW] = [with_window(reason) for reason in reasons[room, :NOW]]
    return Commands(heating, cooling), reasons


def _table(
    horizon: Horizon,
    commands: Commands,
    positions: Array,
    rules: npt.NDArray[np.object_],
    reasons: npt.NDArray[np.object_],
    predicted: Array,
    baseline: Array,
    setpoint_reasons: npt.NDArray[np.object_],
) -> pa.Table:
    rooms = len(horizon.site.rooms)
    issued = round(horizon.as_of.timestamp()) * 1_000_000
    valid = issued + np.arange(STEPS) * int(STEP.total_seconds()) * 1_000_000
    columns = {
        "issued_at": pa.array(np.full(rooms * STEPS, issued)).cast(TIMESTAMP),
        "room": pa.array(np.repeat(np.array(horizon.site.room_ids, dtype=object), STEPS), pa.string()),
        "valid_time": pa.array(np.tile(valid, rooms)).cast(TIMESTAMP),
        "shade_position": pa.array(positions.ravel()),
        "heating_setpoint": pa.array(commands.heating.ravel()),
        "cooling_setpoint": pa.array(commands.cooling.ravel()),
        "reason": pa.array(reasons.ravel(), pa.string()),
        "rule": pa.array(rules.ravel(), pa.string()),
        "predicted_temperature": pa.array(predicted.ravel(), from_pandas=True),
        "baseline_shade_position": pa.array(baseline.ravel(), from_pandas=True),
        "setpoint_reason": pa.array(setpoint_reasons.ravel(), pa.string()),
    }
    return SHADE_SETPOINT_SCHEDULE.table(columns)
