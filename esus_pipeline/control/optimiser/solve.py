"""One group's problem to its best plan: HiGHS through scipy, the incumbent where the time is up.

scipy.optimize is imported inside the function that needs it: three of four live runs make no new optimum.
"""

import time

import numpy as np

from esus_pipeline.control.optimiser.assemble import Program, assemble, index_of
from esus_pipeline.control.optimiser.problem import GroupPlan, GroupProblem

WHOLE = 1e-6
"""A shade so near to open or closed stands there; HiGHS's own tolerance of whole numbers."""

LEAST_TIME = 0.01
"""Seconds that the search is given when the relaxation has used up the time limit; the solver takes no less."""


class NoPlanError(Exception):
    """The solver gave no plan; the message says why."""


def plan_group(problem: GroupProblem) -> GroupPlan:
    """The cheapest plan of a group, or the best one that was found within the time limit.

    Raises:
        ProblemError: a value is missing or a model describes no room.
        NoPlanError: the solver found nothing within the time limit, or gave up.
    """
    problem.check()
    began = time.perf_counter()
    with np.errstate(all="ignore"):
        program = assemble(problem)
    if not np.isfinite(program.matrix.data).all():
        raise NoPlanError("the room model grows without limit")
    answer = _solve(program, problem)
    if answer.x is None:
        raise NoPlanError(_why(answer.status, problem.time_limit))
    return _plan(problem, answer.x, float(answer.fun), _bound(answer), time.perf_counter() - began)


def lower_bound(problem: GroupProblem) -> float:
    """Cost of the same problem with shades that can stand anywhere: the LP bound of every plan."""
    problem.check()
    program = assemble(problem)
    relaxed = _milp(program)
    if relaxed.x is None:
        raise NoPlanError(_why(relaxed.status, np.inf))
    return float(relaxed.fun)


def _solve(program: Program, problem: GroupProblem):  # type: ignore[no-untyped-def]  # scipy's result has no type
    """The relaxation first: where its shades stand open or closed it is the best plan, at a tenth of the time.

    Both share the time limit. Without presolve: the program is small, and HiGHS prints less beside its answer.
    """
    began = time.perf_counter()
    options = {"time_limit": problem.time_limit, "presolve": False}
    relaxed = _milp(program, options=options)
    if relaxed.status == 0:
        closed = relaxed.x[index_of(problem).closed]
        if np.abs(closed - np.round(closed)).max() < WHOLE:
            return relaxed
    left = max(problem.time_limit - (time.perf_counter() - began), LEAST_TIME)
    options |= {"time_limit": left, "mip_rel_gap": problem.gap}
    return _milp(program, integrality=program.integrality, options=options)


def _milp(program: Program, **how):  # type: ignore[no-untyped-def]  # scipy's result has no type
    from scipy.optimize import Bounds, LinearConstraint, milp

    constraints = LinearConstraint(program.matrix, program.row_low, program.row_high)
    return milp(program.cost, constraints=constraints, bounds=Bounds(program.low, program.high), **how)


def _bound(answer) -> float:  # type: ignore[no-untyped-def]
    bound = getattr(answer, "mip_dual_bound", None)
    return float(answer.fun if bound is None else bound)


def _why(status: int, limit: float) -> str:
    if status == 1:
        return f"no plan was found within {limit:g} s"
    return {2: "the limits contradict each other", 3: "the cost has no lower limit"}.get(status, "the solver gave up")


def _plan(problem: GroupProblem, x: np.ndarray, cost: float, bound: float, seconds: float) -> GroupPlan:
    at = index_of(problem)
    heating, cooling = 1000 * x[at.room["heating"]], 1000 * x[at.room["cooling"]]
    energy = np.sum(heating * problem.prices.heat + cooling * problem.prices.cooling) / 1000
    return GroupPlan(
        closed=x[at.closed] > 0.5,
        air=x[at.room["air"]],
        mass=x[at.room["mass"]],
        heating=np.maximum(heating, 0.0),
        cooling=np.maximum(cooling, 0.0),
        cost=cost,
        energy_cost=float(energy),
        discomfort=float(np.sum(x[at.room["short"]] + x[at.room["over"]])),
        bound=bound,
        seconds=seconds,
        proven=cost - bound <= problem.gap * abs(cost) + 1e-9,
    )
