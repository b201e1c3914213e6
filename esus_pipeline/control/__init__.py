"""Where a shade and a setpoint are decided. `make_plan` turns one `PlanInputs` into 36 hours of plan per room.

Read `plan` for the order of precedence, `forecast_rule` for when a shade is lowered, `safety` for what overrules it.
"""

from esus_pipeline.control.inputs import PlanInputs, ShadeState, shade_states
from esus_pipeline.control.plan import make_plan
from esus_pipeline.control.rules import CLOSED, OPEN, RULES, Rule

__all__ = ["CLOSED", "OPEN", "RULES", "PlanInputs", "Rule", "ShadeState", "make_plan", "shade_states"]
