"""Running a room model over a history: inputs as heat and conductance, the mass that the air implies, predictions.

Values of a history are means over its steps. A mean temperature stands for the middle of its step, so that from one to
the next half of each step's inputs is at work (Tustin's rule): taking the inputs of either step alone would shift heat
by half a step, which shows as radiators that are too weak for their room.

Belongs here: arithmetic of model and history for many starting points at once. Does not belong here: what the model's
parameters are (see identification) or the best estimate of a state (see kalman).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.model.history import STEP_SECONDS, History
from esus_pipeline.control.model.room_model import Array, RoomModel, discretise, pushed

Steps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Motion:
    """x[k+1] = keep[k] x[k] + push[k] (+ heat_push[k] W) from the middle of step k to that of the next, N steps.

    NaN where an input is; after the last step its inputs go on.
    """

    keep: Array
    """(N, 2, 2)."""
    push: Array
    """(N, 2) K."""
    heat_push: Array
    """(N, 2) K per W of further heat to the air."""


def motion(model: RoomModel, history: History) -> Motion:
    """What the inputs of a history do to the model."""
    radiator = model.radiator_conductance(np.where(history.water > history.air, history.valve, 0.0))
    radiator = np.where(np.isnan(history.air), model.radiator_conductance(history.valve), radiator)
    radiator = _warmed(radiator, model.radiator_rest(STEP_SECONDS))
    supply = model.supply_air_conductance(history.damper)
    heat = _onward(radiator * history.water + supply * history.supply_air - history.cooling)
    keep, source = discretise(model, STEP_SECONDS, _onward(radiator + supply))
    outdoor, sun, people = (_onward(values) for values in (history.outdoor, _sun(model, history), history.people))
    push = pushed(source, outdoor, heat, sun, people)
    return Motion(keep, push, source[:, :, 1])


def mass_temperature(model: RoomModel, history: History) -> Array:
    """(N,) degC of the mass that the measured air has kept company; gaps of the air are bridged by straight lines."""
    air, outdoor, sun = (_filled(values) for values in (history.air, history.outdoor, _sun(model, history)))
    loss = model.h_am + model.h_mo + model.h_mb
    keep = np.exp(-loss / model.c_mass * STEP_SECONDS)
    target = model.h_am * air + model.h_mo * outdoor + (1 - model.f_air) * sun + model.h_mb * model.building_temperature
    target = target / loss
    start = target[:96].mean()
    followed = pd.Series(np.concatenate([[start], target[:-1]]))
    return followed.ewm(alpha=1 - keep, adjust=False).mean().to_numpy()


def predict(
    moved: Motion,
    air: Array,
    mass: Array,
    starts: Steps,
    steps: int,
    disturbance: Array | None = None,
    decay: float = 1.0,
) -> Array:
    """Air temperatures (steps, S) at starts + 1 .. starts + steps, from the states at the starts.

    Args:
        moved: the history's motion; starts + steps <= N.
        air: (S,) degC at the starts.
        mass: (S,) degC at the starts.
        starts: (S,) indices.
        steps: how far.
        disturbance: (S,) W of further heat at the starts, which shrinks by `decay` with every step.
        decay: see there.
    """
    k00, k01, k10, k11 = (moved.keep[:, i, j] for i in (0, 1) for j in (0, 1))
    push0, push1 = moved.push[:, 0], moved.push[:, 1]
    if disturbance is not None:
        extra = disturbance
    path = np.empty((steps, len(starts)))
    for step in range(steps):
        at = starts + step
        new = k00[at] * air + k01[at] * mass + push0[at]
        mass = k10[at] * air + k11[at] * mass + push1[at]
        if disturbance is not None:
            new = new + moved.heat_push[at, 0] * extra
            mass = mass + moved.heat_push[at, 1] * extra
            extra = extra * decay
        path[step] = air = new
    return path


def _sun(model: RoomModel, history: History) -> Array:
    """W; at night the position of the shade does not matter."""
    dark = history.gain_open == 0
    return np.where(dark, 0.0, model.sun(history.gain_open, history.gain_shaded, history.shade))


def _onward(values: Array) -> Array:
    """(N,) mean of each step and the one after it."""
    return (values + np.append(values[1:], values[-1:])) / 2


def _warmed(wanted: Array, rest: float) -> Array:
    """(N,) what a radiator gives that goes on with `rest` of what it gave in the step before; NaN as in `wanted`."""
    given = pd.Series(wanted).ewm(alpha=1 - rest, adjust=False, ignore_na=True).mean().to_numpy()
    return np.where(np.isnan(wanted), np.nan, given)


def _filled(values: Array) -> Array:
    return np.asarray(pd.Series(values).interpolate(limit_direction="both").to_numpy())
