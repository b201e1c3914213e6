"""The state of a room now: air, mass, and a heat that no input explains and that decays (offset-free estimation).

The disturbance stands for neighbours, forgotten equipment, an open door. It enters the air as heat, is driven by white
noise and shrinks with the time constant DECAY (Pannocchia & Rawlings, AIChE Journal 49, 2003, with a decaying model).
An open window teaches nothing: it moves the temperatures and leaves the disturbance alone. A step without a reading, or
with an input that nobody knows, does not correct: uncertainty grows.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.model.history import STEP_SECONDS, History
from esus_pipeline.control.model.room_model import Array, RoomModel
from esus_pipeline.control.model.simulate import mass_temperature, motion

DECAY = 24 * 3600.0
"""s after which a disturbance has shrunk to 1/e."""
SENSOR = 0.1
"""K, noise of a room's temperature reading."""
MODEL_AIR = 0.08
"""K that the air wanders in a step beside the model."""
MODEL_MASS = 0.02
"""K that the mass wanders in a step beside the model."""
SUDDEN = 0.3
"""K within a step towards the outdoors that no heat in a room explains: an open window, a door. Such a reading moves
air and mass and says nothing of the disturbance."""
WINDOW = 2.0
"""K that an open window moves the air in a step."""
UNEXPLAINED = 1.0
"""W/m2 of floor, usual size of the disturbance."""

DECAY_STEP = float(np.exp(-STEP_SECONDS / DECAY))
"""What is left of a disturbance after one step."""


@dataclass(frozen=True)
class State:
    """Estimates after each step of a history, or after the last one (without the leading N)."""

    x: Array
    """(N, 2) degC of air and mass."""
    disturbance: Array
    """(N,) W of heat to the air that no input explains."""
    covariance: Array
    """(N, 3, 3) of air (K), mass (K) and disturbance (W)."""

    @property
    def last(self) -> "State":
        """The newest estimate."""
        return State(self.x[-1], self.disturbance[-1], self.covariance[-1])


def estimate(model: RoomModel, history: History, former: State | None = None) -> State:
    """The estimates at every step, each from the readings up to it.

    A step whose inputs are unknown holds the estimate of the step before.

    Args:
        model: of the room.
        history: of the room.
        former: the estimate (State.last) of the first step, to carry on from; without it the history's own
            temperatures say where to begin.

    Raises:
        ValueError: nothing says where to begin, because the history has no temperature.
    """
    moved, area = motion(model, history), max(model.area, 1.0)
    if former is None:
        mean, spread = _beginning(model, history, area)
    else:
        mean, spread = np.append(former.x, former.disturbance), former.covariance
    drive = np.diag([MODEL_AIR**2, MODEL_MASS**2, (UNEXPLAINED * area) ** 2 * (1 - DECAY_STEP**2)])
    opened = np.diag([WINDOW**2, 0.0, 0.0])
    means, spreads = np.empty((len(history), 3)), np.empty((len(history), 3, 3))
    step = np.zeros((len(history), 3, 3))
    step[:, :2, :2], step[:, :2, 2], step[:, 2, 2] = moved.keep, moved.heat_push, DECAY_STEP
    push = np.column_stack([moved.push, np.zeros(len(history))])
    usable = np.isfinite(step.sum(axis=(1, 2)) + push.sum(axis=1))
    for now, reading in enumerate(history.air):
        if now:
            if usable[now - 1]:
                mean = step[now - 1] @ mean + push[now - 1]
                spread = step[now - 1] @ spread @ step[now - 1].T
            spread = spread + drive
        if not np.isnan(reading) and (now or former is None):
            aired = history.window_open[now] > 0 or _aired(reading - mean[0], history.outdoor[now] - mean[0])
            if aired:
                spread = spread + opened
            gain = spread[:, 0] / (spread[0, 0] + SENSOR**2)
            if aired:
                gain[2] = 0.0
            mean = mean + gain * (reading - mean[0])
            left = np.eye(3) - np.outer(gain, [1.0, 0.0, 0.0])
            spread = left @ spread @ left.T + SENSOR**2 * np.outer(gain, gain)
        means[now], spreads[now] = mean, spread
    return State(means[:, :2], means[:, 2], spreads)


def _aired(surprise: float, outdoors: float) -> bool:
    """Whether a reading is as far towards the outdoors (K from the room) as air through a window takes it."""
    return abs(surprise) > SUDDEN and not surprise * outdoors < 0


def _beginning(model: RoomModel, history: History, area: float) -> tuple[Array, Array]:
    known = np.flatnonzero(~np.isnan(history.air))
    if not len(known):
        raise ValueError(f"room {history.room}: no air temperature in the history, so its state cannot be estimated")
    mean = np.array([history.air[known[0]], mass_temperature(model, history)[0], 0.0])
    return mean, np.diag([SENSOR**2, 1.0, (UNEXPLAINED * area) ** 2])
