"""How well a model predicts readings, beside persistence and a linear black box.

Whether these are readings that it was trained on depends on the steps that the caller asks about.
From every hour with a known state the room's temperature is predicted with the inputs that came (weather, sun, people,
valve, damper), as one validates a model for control: what is judged is the model, not the weather forecast.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.model.arx import Arx
from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.identification import closed_after, usable_starts
from esus_pipeline.control.model.kalman import DECAY_STEP, estimate
from esus_pipeline.control.model.room_model import Array, RoomModel
from esus_pipeline.control.model.simulate import Steps, motion, predict

HOURS = (1, 6, 24)
"""Hours ahead that are scored."""
PER_HOUR = 4


@dataclass(frozen=True)
class Score:
    """Root mean square errors, K, by hours ahead, over the same predictions."""

    model: dict[int, float]
    persistence: dict[int, float]
    count: dict[int, int]
    """Predictions by hours ahead; those during which a window was opened end before it."""
    black_box: dict[int, float] | None = None


def score(model: RoomModel, history: History, first: int = 0, black_box: Arx | None = None) -> Score:
    """Errors of predictions that start at step `first` or later and end within the history.

    The steps before `first` only warm the estimate up. Errors are NaN at a horizon without one whole prediction.
    """
    longest = HOURS[-1] * PER_HOUR
    starts = usable_starts(history, longest, PER_HOUR, closed=PER_HOUR)
    starts = starts[starts >= first]
    state, moved = estimate(model, history), motion(model, history)
    path = predict(
        moved, state.x[starts, 0], state.x[starts, 1], starts, longest, state.disturbance[starts], DECAY_STEP
    )
    judged = _Judged.of(history, starts)
    return Score(
        model=judged.rmse(path),
        persistence=judged.rmse(np.broadcast_to(history.air[starts], path.shape)),
        count={hours: int(np.isfinite(own).sum()) for hours, own in judged.measured.items()},
        black_box=judged.rmse(black_box.predict(history, starts, longest)) if black_box else None,
    )


@dataclass(frozen=True)
class _Judged:
    measured: dict[int, Array]
    """(S,) degC so many hours after each start; NaN where a window was open by then, or nothing was measured."""

    @classmethod
    def of(cls, history: History, starts: Steps) -> "_Judged":
        shut = closed_after(history, starts)
        steps = {hours: hours * PER_HOUR for hours in HOURS}
        return cls({hours: np.where(shut >= step, history.air[starts + step], np.nan) for hours, step in steps.items()})

    def rmse(self, path: Array) -> dict[int, float]:
        return {hours: _root_mean_square(path[hours * PER_HOUR - 1] - own) for hours, own in self.measured.items()}


def _root_mean_square(error: Array) -> float:
    known = error[~np.isnan(error)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
