"""The optimum: one small mixed-integer program per shade group and hour, 48 hours ahead.

`optimise` turns a `PlanInputs` into an `Optimum`; `plan_group` solves one group from plain arrays.
"""

from esus_pipeline.control.optimiser.optimum import Optimum, current, optimise
from esus_pipeline.control.optimiser.problem import GroupPlan, GroupProblem, Held, Prices, ProblemError
from esus_pipeline.control.optimiser.solve import NoPlanError, lower_bound, plan_group

__all__ = [
    "GroupPlan",
    "GroupProblem",
    "Held",
    "NoPlanError",
    "Optimum",
    "Prices",
    "ProblemError",
    "current",
    "lower_bound",
    "optimise",
    "plan_group",
]
