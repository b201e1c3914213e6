"""The plan of the next 36 hours. The order of precedence stands here and nowhere else.

    no shade to move  >  wind  >  missing inputs (safe plan)  >  forecast rule, within the limits on movement

Rooms of one shade group move together: the group is closed if any of its rooms asks for it, and opened for all.
Setpoints follow the calendar in every case, the safe plan included, because they need no input that can be missing.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from esus_pipeline.control.baseline import baseline_positions
from esus_pipeline.control.explanation import explain
from esus_pipeline.control.forecast_rule import DayDecision, decide_days, forecast_rules, wanted_positions
from esus_pipeline.control.inputs import STEPS, Array, Horizon, Mask, PlanInputs, read_horizon
from esus_pipeline.control.room_response import make_response
from esus_pipeline.control.rules import CLOSED, OPEN, Rule
from esus_pipeline.control.safety import held_state, missing_inputs, settle, wind_block
from esus_pipeline.control.setpoints import Setpoints, make_setpoints
from esus_pipeline.frames import SHADE_SETPOINT_SCHEDULE, STEP, TIMESTAMP
from esus_pipeline.site import Site


def make_plan(inputs: PlanInputs) -> pd.DataFrame:
    """The plan from `as_of` on: frames.SHADE_SETPOINT_SCHEDULE, 144 rows per room, whatever is missing.

    Raises:
        ValueError: `as_of` has no zone or is not on a full quarter of an hour.
    """
    horizon = read_horizon(inputs)
    setpoints = make_setpoints(horizon)
    response = make_response(horizon, setpoints)
    groups = shade_groups(horizon.site)
    blocked = wind_block(horizon)
    missing = missing_inputs(horizon, groups)
    decisions = decide_days(horizon, setpoints, response, groups, blocked)
    closed, rules = _decide(horizon, groups, decisions, blocked, missing)
    return _frame(
        horizon,
        setpoints,
        closed=closed,
        rules=rules,
        reasons=explain(horizon, setpoints, rules, closed, decisions),
        predicted=response.predict(horizon.temperature, closed.T).T,
        baseline=baseline_positions(horizon, blocked),
    )


def shade_groups(site: Site) -> list[list[int]]:
    """Indices of the rooms that move together: the site's groups, and every other room with a shade by itself."""
    shaded = [room.id for room in site.rooms if any(window.shade for window in room.windows)]
    groups = [[room for room in group.rooms if room in shaded] for group in site.shade_groups.values()]
    grouped = {room for group in groups for room in group}
    groups += [[room] for room in shaded if room not in grouped]
    return [[site.room_ids.index(room) for room in group] for group in groups if group]


def _decide(
    horizon: Horizon,
    groups: list[list[int]],
    decisions: list[list[DayDecision]],
    blocked: Mask,
    missing: npt.NDArray[np.object_],
) -> tuple[Mask, npt.NDArray[np.object_]]:
    """Positions (R, N; True is closed) and the rule that won each of them."""
    rooms = len(horizon.site.rooms)
    wanted = wanted_positions(decisions, rooms)
    safe = missing != ""
    closed = np.zeros_like(wanted)
    for members in groups:
        allowed = ~(blocked | safe[members[0]])
        closed[members] = settle(wanted[members[0]], allowed, horizon.day, held_state(horizon, members))
    rules = forecast_rules(decisions, rooms)
    rules[closed != wanted] = Rule.HOLD
    rules[safe] = missing[safe]
    rules[:, blocked] = Rule.WIND
    rules[[room for room in range(rooms) if not any(room in members for members in groups)]] = Rule.NO_SHADE
    return closed, rules


def _frame(
    horizon: Horizon,
    setpoints: Setpoints,
    closed: Mask,
    rules: npt.NDArray[np.object_],
    reasons: npt.NDArray[np.object_],
    predicted: Array,
    baseline: Array,
) -> pd.DataFrame:
    rooms = len(horizon.site.rooms)
    issued = round(horizon.as_of.timestamp()) * 1_000_000
    valid = issued + np.arange(STEPS) * int(STEP.total_seconds()) * 1_000_000
    columns = {
        "issued_at": pa.array(np.full(rooms * STEPS, issued)).cast(TIMESTAMP),
        "room": pa.array(np.repeat(np.array(horizon.site.room_ids, dtype=object), STEPS), pa.string()),
        "valid_time": pa.array(np.tile(valid, rooms)).cast(TIMESTAMP),
        "shade_position": pa.array(np.where(closed, CLOSED, OPEN).ravel()),
        "heating_setpoint": pa.array(np.tile(setpoints.heating, rooms)),
        "cooling_setpoint": pa.array(np.tile(setpoints.cooling, rooms)),
        "reason": pa.array(reasons.ravel(), pa.string()),
        "rule": pa.array(rules.ravel(), pa.string()),
        "predicted_temperature": pa.array(predicted.ravel(), from_pandas=True),
        "baseline_shade_position": pa.array(baseline.ravel(), from_pandas=True),
    }
    schema = SHADE_SETPOINT_SCHEDULE.schema
    return pa.table([columns[name] for name in schema.names], schema=schema).to_pandas()
