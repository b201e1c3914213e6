"""Where a shade and a setpoint are decided. `decide` turns one `PlanInputs` into 36 hours of plan per room.

Read `plan` for the order of precedence, `optimiser` for what is wanted, `forecast_rule` for the tuned rule that stands
in for it, `safety` and `override` for what overrules both.
"""

from esus_pipeline.control.inputs import PlanInputs, RoomState, ShadeState, shade_states
from esus_pipeline.control.optimiser import Optimum, optimise
from esus_pipeline.control.override import Override, overrides
from esus_pipeline.control.plan import Plan, decide, make_plan
from esus_pipeline.control.planner import Planner
from esus_pipeline.control.rules import CLOSED, OPEN, RULES, Rule
from esus_pipeline.control.setpoints import told_setpoints
from esus_pipeline.control.trace import trace_frame

__all__ = [
    "CLOSED",
    "OPEN",
    "RULES",
    "Optimum",
    "Override",
    "Plan",
    "PlanInputs",
    "Planner",
    "RoomState",
    "Rule",
    "ShadeState",
    "decide",
    "make_plan",
    "optimise",
    "overrides",
    "shade_states",
    "told_setpoints",
    "trace_frame",
]
