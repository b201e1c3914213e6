"""What the rooms of a group would do with shades that stay, and what follows for the program.

That is where cooling is needed, and how large a margin below the limit is and what it is worth.

Belongs here: simulating thermostats by the hour, without a decision. Does not belong here: the program (see assemble).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.model.room_model import Array
from esus_pipeline.control.optimiser.assemble import Dynamics, dynamics
from esus_pipeline.control.optimiser.problem import GroupProblem, Mask

HELD = 0.1
"""K over the limit up to which machines are said to hold a room."""
SUN_ERROR = 0.2
"""Of what open shades warm a room by: an aperture that was learned behind lowered shades, and a forecast of the sun."""


@dataclass(frozen=True)
class Unshaded:
    """R rooms and H hours with open shades; heating holds the lower limit."""

    air: Array
    """(R, H) degC at the end of each hour without cooling."""
    shaded: Array
    """(R, H) the same with closed shades."""
    cooled: Array
    """(R, H) degC with open shades and a thermostat at the upper limit."""
    cooling: Array
    """(R, H) W that this thermostat takes."""

    @classmethod
    def of(cls, problem: GroupProblem) -> "Unshaded":
        """Simulated by the rooms' models, an hour a step."""
        moves, idle = dynamics(replace(problem, dazzled=np.zeros(problem.steps))), np.zeros(problem.cooling_limit.shape)
        air, _ = _lived(problem, moves, idle)
        shaded, _ = _lived(problem, moves, idle, shade=1.0)
        cooled, cooling = _lived(problem, moves, problem.cooling_limit)
        return cls(air, shaded, cooled, cooling)


def within_reason(problem: GroupProblem, unshaded: Unshaded) -> GroupProblem:
    """The problem with the cooling that open shades would need, by the hour, and what margin and sun are worth.

    Cooling ahead of time is paid for now, and the need that it is meant to spare is a forecast; a thermostat cannot
    carry it out either. The margin is the model's measured error together with what the sun may bring besides. Where
    machines can hold a room, being too warm by an error costs what they use, so the margin is worth that; elsewhere it
    guards comfort, at the price that the problem has. On a day on which a room of the group would be cooled, sun is
    worth nothing to the rooms around until that is over: what it warms in the morning is cooled in the afternoon.
    """
    error = np.hypot(problem.margin, SUN_ERROR * np.maximum(unshaded.air - unshaded.shaded, 0.0))
    losses = np.array([model.h_ao + model.h_mo + model.h_mb for model in problem.models]) / 1000
    machines = np.outer(losses, np.maximum(problem.prices.cooling, 0.0))
    held = (unshaded.cooled <= problem.high + HELD) & (problem.cooling_limit > 0)
    worth = np.where(held, np.minimum(machines, problem.prices.margin), problem.prices.margin)
    sun = np.where(_until_cooled(unshaded.cooling, problem.day), 0.0, problem.prices.sun)
    prices = replace(problem.prices, margin=worth, sun=sun)
    return replace(problem, cooling_limit=unshaded.cooling, margin=error, prices=prices)


def _until_cooled(cooling: Array, day: npt.NDArray[np.int64]) -> Mask:
    """(H,) hours in which any room is cooled, or will be on the same day."""
    cooled = pd.Series((cooling > 0).any(axis=0))
    return cooled[::-1].groupby(day[::-1]).cummax()[::-1].to_numpy(dtype=bool)


def _lived(problem: GroupProblem, moves: Dynamics, cooling_limit: Array, shade: float = 0.0) -> tuple[Array, Array]:
    """(R, H) degC at the end of each hour, and W of cooling, with thermostats of limited power and shades that stay."""
    state = np.stack([problem.air, problem.mass], axis=-1)
    path, power = np.empty(problem.gain_open.shape), np.empty(problem.gain_open.shape)
    for step in range(problem.steps):
        free = np.einsum("rij,rj->ri", moves.keep[:, step], state) + moves.rest[:, step]
        free = free + shade * moves.shade[:, step]
        per_kw = moves.heat[:, step, 0]
        heat = np.clip((problem.low[step] - free[:, 0]) / per_kw, 0.0, problem.heating_limit[:, step] / 1000)
        cold = np.clip((free[:, 0] - problem.high[step]) / per_kw, 0.0, cooling_limit[:, step] / 1000)
        state = free + moves.heat[:, step] * (heat - cold)[:, None]
        path[:, step], power[:, step] = state[:, 0], 1000 * cold
    return path, power
