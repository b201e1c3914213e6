"""A linear black box to compare with: ARX, temperature from its own past and the inputs, by least squares.

T[k+1] = sum a_i T[k-i] + sum b_j u_j[k] + c, fitted to one-step errors (Ljung, System Identification, ch. 4.2) with a
slight ridge, and iterated for longer predictions. It knows no physics, and its inputs are the grey box's.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.room_model import Array
from esus_pipeline.control.model.simulate import Steps

ORDER = 4
"""Past temperatures, one an hour would be too few to see a radiator: these are 15 minutes apart."""
RIDGE = 1e-3


@dataclass(frozen=True)
class Arx:
    """Coefficients on past temperatures (newest first), on inputs, and the constant."""

    past: Array
    inputs: Array
    constant: float

    @classmethod
    def fit(cls, history: History) -> "Arx":
        """The coefficients of least one-step error on the steps that are known with all their inputs."""
        inputs = _inputs(history)
        lags = np.stack([np.roll(history.air, lag) for lag in range(ORDER)], axis=1)
        rows = np.concatenate([lags, inputs, np.ones((len(history), 1))], axis=1)[ORDER - 1 : -1]
        target = history.air[ORDER:]
        known = ~np.isnan(rows).any(axis=1) & ~np.isnan(target)
        rows, target = rows[known], target[known]
        scale = np.maximum(np.abs(rows).max(axis=0), 1e-9)
        scaled = rows / scale
        normal = scaled.T @ scaled + RIDGE * np.eye(rows.shape[1])
        solution = np.linalg.solve(normal, scaled.T @ target) / scale
        return cls(solution[:ORDER], solution[ORDER:-1], float(solution[-1]))

    def predict(self, history: History, starts: Steps, steps: int) -> Array:
        """Temperatures (steps, S) at starts + 1 .. starts + steps."""
        inputs = _inputs(history)
        past = [history.air[np.maximum(starts - lag, 0)] for lag in range(ORDER)]
        past = [np.where(np.isnan(values), past[0], values) for values in past]
        path = np.empty((steps, len(starts)))
        for step in range(steps):
            new = self.past @ np.stack(past) + inputs[starts + step] @ self.inputs + self.constant
            past = [new, *past[:-1]]
            path[step] = new
        return path


def _inputs(history: History) -> Array:
    """(N, inputs): weather, sun by shade, people, radiator, supply air."""
    dark = history.gain_open == 0
    shade = np.where(dark, 0.0, history.shade)
    columns = (
        history.outdoor,
        history.gain_open * (1 - shade),
        history.gain_open * shade,
        history.people,
        history.valve * (history.water - 20.0),
        history.damper,
        history.damper * (history.supply_air - 20.0),
    )
    return np.stack(columns, axis=1)
