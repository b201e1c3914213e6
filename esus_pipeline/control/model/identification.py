"""Learning a room's parameters: multi-step prediction error, bounds, weak priors, and what the data cannot tell.

Every three hours of the history the model predicts the next 12 hours from the state that the readings imply, and the
parameters are those that make the hourly errors least (Ljung, System Identification, ch. 3 and 7), together with the
distance from the site's geometry in the logarithm of each parameter. Both are counted in their own standard deviations
(maximum a posteriori): how large errors are is what a first fit leaves. Errors of one half day are correlated and count
as few. A prediction ends when a window opens, and a soft loss keeps broken days from deciding.

Uncertainty: days are drawn again with replacement (block bootstrap) and the prior's centre is drawn from the prior, and
one Gauss-Newton step from the optimum gives each draw's parameters. Where the data say nothing, a draw spreads as wide
as the prior; such a parameter is reported as unknown.
"""

from dataclasses import dataclass, replace

import numpy as np

from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.room_model import PARAMETERS, Array, RoomModel
from esus_pipeline.control.model.simulate import Steps, mass_temperature, motion, predict

HORIZON = 48
"""Steps of a prediction that parameters are judged by (12 hours)."""
EVERY = 12
"""Steps between two predictions (3 hours)."""
HOURLY = slice(3, None, 4)
"""Errors of a prediction that count: one an hour."""
WARM_UP = 96
"""Steps after which the mass has forgotten where it was taken to begin (24 hours)."""
LONG_GAP = 24
"""Steps without a temperature after which the mass must warm up anew (6 hours)."""
LEAST_ERROR = 0.05
"""K, least size that prediction errors are taken to have: the noise of a reading."""
FIRST_ERROR = 0.3
"""K, what they are taken to be before the first fit has shown it."""
FIRST_FITS = 8
"""Steps of the fit that shows it."""
LEAST_CLOSED = 12
"""Steps for which windows must have stayed closed after a prediction's start (3 hours)."""
INDEPENDENT = 3.0
"""How many independent errors the hourly ones of a prediction are worth."""
MEDIAN_TO_DEVIATION = 1.4826
"""Standard deviation of normal errors over the median of their size."""
OPEN_WINDOW = 0.1
"""Share of a step with an open window from which no model is held to it."""
DRAWS = 200
TOLD = 0.6
"""A parameter counts as told by the data where its spread is less than this share of the prior's."""
LEAST_HOURS = 240
"""Hours of predictions that an identification needs: 20 half days, three days whose windows stay closed."""

SPREAD = {
    "c_air": 0.7,
    "c_mass": 0.6,
    "h_am": 0.6,
    "h_ao": 0.5,
    "h_mo": 0.8,
    "h_mb": 1.2,
    "k_open": 0.7,
    "k_shaded": 0.8,
    "f_air": 0.5,
    "g_person": 0.7,
    "constant": 4.0,
    "k_heat": 0.7,
    "t_radiator": 0.7,
    "k_vent": 0.7,
}
"""Standard deviation of each prior: of the parameter's logarithm, of `constant` in W per m2 of floor."""
REACH = 3.0
"""Bounds lie this many standard deviations from the prior, and at the limits of what a parameter can be."""


class TooLittleDataError(ValueError):
    """The history does not hold enough whole half days to learn from; the message says what is missing."""


@dataclass(frozen=True)
class Identified:
    """What a history says of a room."""

    model: RoomModel
    low: dict[str, float]
    """5th percentile of each parameter."""
    high: dict[str, float]
    """95th percentile."""
    draws: dict[str, Array]
    """(DRAWS,) of each parameter; together they show which ones the readings cannot tell apart."""
    spread_ratio: dict[str, float]
    """Spread of a parameter's logarithm as a share of the prior's; 1 says that the data are silent."""
    fit_rmse: float
    """K, of the hourly errors over 12 hours, on the history itself."""
    starts: int
    """Predictions that were used."""


def usable_starts(history: History, horizon: int = HORIZON, every: int = EVERY, closed: int = LEAST_CLOSED) -> Steps:
    """Starts with a known state and known inputs all the way, far enough from a long gap.

    Windows stay closed for the first `closed` steps of each.
    """
    known = ~np.isnan(history.air)
    warm = _steps_since_long_gap(known) >= WARM_UP
    broken = np.concatenate([[0], np.cumsum(~_inputs_known(history))])
    starts = np.arange(0, max(len(history) - horizon, 0), every)
    whole = broken[starts + horizon] == broken[starts]
    shut = closed_after(history, starts) >= closed
    return np.asarray(starts[known[starts] & warm[starts] & whole & shut])


def closed_after(history: History, starts: Steps) -> Steps:
    """(S,) steps from each start until a window is open, or until the history ends: what a prediction is held to."""
    steps = np.arange(len(history))
    opened = np.where(history.window_open > OPEN_WINDOW, steps, len(history))
    return np.asarray(np.minimum.accumulate(opened[::-1])[::-1][starts] - starts)


def identify(prior: RoomModel, history: History, seed: int = 0, start: RoomModel | None = None) -> Identified:
    """Learn the parameters of a room.

    Args:
        prior: the room as its geometry has it; its facts stay.
        history: a fortnight or more.
        seed: of the bootstrap's draws.
        start: where to begin the search; the prior if absent.

    Raises:
        TooLittleDataError: fewer than LEAST_HOURS of predictions can be made from the history.
    """
    starts = usable_starts(history)
    problem = _Problem(prior, history, starts)
    hours = int(np.isfinite(problem.measured).sum())
    if hours < LEAST_HOURS:
        raise TooLittleDataError(
            f"room {history.room}: {hours} hours can be predicted with closed windows and known inputs, at least "
            f"{LEAST_HOURS} are needed; " + _what_is_missing(history)
        )
    found = _least(problem, problem.centre if start is None else problem.theta(start), FIRST_FITS)
    problem.error = max(LEAST_ERROR, problem.typical_error(found.x))
    found = _least(problem, found.x)
    draws = problem.draws(found.x, seed)
    ratio = problem.spread(draws)
    unknown = tuple(name for name in PARAMETERS if ratio[name] > TOLD)
    values = np.array([problem.values(draw) for draw in draws])
    low, high = np.percentile(values, [5, 95], axis=0)
    model = replace(
        prior.with_parameters(dict(zip(PARAMETERS, problem.values(found.x), strict=True))),
        trained_from=history.start,
        trained_to=(history.times[-1] + (history.times[1] - history.times[0])).to_pydatetime(),
        unknown=unknown,
    )
    model.check()
    return Identified(
        model=model,
        low=dict(zip(PARAMETERS, low.tolist(), strict=True)),
        high=dict(zip(PARAMETERS, high.tolist(), strict=True)),
        draws=dict(zip(PARAMETERS, values.T, strict=True)),
        spread_ratio=ratio,
        fit_rmse=float(np.sqrt(np.nanmean(problem.raw(found.x) ** 2))),
        starts=len(starts),
    )


def _least(problem: "_Problem", start: Array, most: int = 40):  # type: ignore[no-untyped-def]  # scipy's result has no type
    from scipy.optimize import least_squares  # costs a live run more than its plan, and only lessons need it

    return least_squares(
        problem.errors,
        start,
        jac=problem.jacobian,
        bounds=problem.bounds,
        x_scale=problem.scale,
        max_nfev=most,
        xtol=1e-4,
        ftol=1e-5,
    )


class _Problem:
    """Least squares in theta: logarithms of the parameters, the constant in W. Data first, prior last."""

    def __init__(self, prior: RoomModel, history: History, starts: Steps) -> None:
        self.prior, self.history, self.starts = prior, history, starts
        self.error = FIRST_ERROR
        ahead = np.arange(1, HORIZON + 1)[HOURLY, None]
        measured = history.air[starts + ahead]
        self.measured = np.where(ahead <= closed_after(history, starts), measured, np.nan)
        self.linear = np.array([name == "constant" for name in PARAMETERS])
        self.centre = self._theta(prior)
        sigma = np.array(list(SPREAD.values()))
        self.scale = np.where(self.linear, sigma * max(prior.area, 1.0), sigma)
        ceiling = np.where([name == "f_air" for name in PARAMETERS], np.log(0.95), np.inf)
        self.bounds = (self.centre - REACH * self.scale, np.minimum(self.centre + REACH * self.scale, ceiling))
        days = (starts + self._offset()) // 96
        self.day = np.unique(days, return_inverse=True)[1]

    def theta(self, model: RoomModel) -> Array:
        """Of a model, within the bounds."""
        return np.clip(self._theta(model), *self.bounds)

    def _theta(self, model: RoomModel) -> Array:
        values = np.array([max(getattr(model, name), 1e-6) for name in PARAMETERS])
        return np.where(self.linear, model.constant, np.log(values))

    def values(self, theta: Array) -> Array:
        """The parameters themselves."""
        return np.where(self.linear, theta, np.exp(np.where(self.linear, 0.0, theta)))

    def raw(self, theta: Array) -> Array:
        """(hours, starts) K, predicted less measured; NaN where nothing was measured."""
        model = self.prior.with_parameters(dict(zip(PARAMETERS, self.values(theta), strict=True)))
        mass = mass_temperature(model, self.history)
        path = predict(
            motion(model, self.history), self.history.air[self.starts], mass[self.starts], self.starts, HORIZON
        )
        return path[HOURLY] - self.measured

    def typical_error(self, theta: Array) -> float:
        """K, of the hourly errors; the median's, so that a broken day does not make all days look unsure."""
        return float(np.nanmedian(np.abs(self.raw(theta))) * MEDIAN_TO_DEVIATION)

    def errors(self, theta: Array) -> Array:
        """Weighted errors (starts x hours) with a soft loss, and the prior's."""
        return np.concatenate([_soft(self._weighted(theta)).ravel(), (theta - self.centre) / self.scale])

    def jacobian(self, theta: Array) -> Array:
        """Forward differences."""
        base, step = self.errors(theta), 1e-4
        columns = [(self.errors(theta + step * unit) - base) / (step * length) for unit, length in self._units()]
        return np.stack(columns, axis=1)

    def _units(self) -> list[tuple[Array, float]]:
        return [(scale * unit, scale) for scale, unit in zip(self.scale, np.eye(len(self.scale)), strict=True)]

    def _weighted(self, theta: Array) -> Array:
        """(hours, starts): a prediction weighs as INDEPENDENT observations, and less because predictions overlap."""
        return np.nan_to_num(self.raw(theta)) / self.error * _weight(len(self.measured))

    def draws(self, best: Array, seed: int) -> Array:
        """(DRAWS, parameters) theta of resampled days and priors, one Gauss-Newton step from the optimum."""
        rng = np.random.default_rng(seed)
        errors, slopes = self.errors(best), self.jacobian(best)
        count, width = self.measured.shape[1], len(best)
        data = errors[:-width].reshape(-1, count)
        slope = slopes[:-width].reshape(-1, count, width)
        days = self.day.max() + 1
        normal = np.zeros((days, width, width))
        gradient = np.zeros((days, width))
        np.add.at(normal, self.day, np.einsum("hsi,hsj->sij", slope, slope))
        np.add.at(gradient, self.day, np.einsum("hsi,hs->si", slope, data))
        own = np.diag(1 / self.scale**2)
        found = np.empty((DRAWS, width))
        for row in range(DRAWS):
            weight = np.bincount(rng.integers(0, days, days), minlength=days)
            centre = self.centre + self.scale * rng.standard_normal(width)
            left = np.einsum("d,dij->ij", weight, normal) + own
            right = weight @ gradient + own @ (best - centre)
            found[row] = best - np.linalg.solve(left, right)
        return np.clip(found, *self.bounds)

    def spread(self, draws: Array) -> dict[str, float]:
        """Spread of each parameter as a share of the prior's."""
        ratio = draws.std(axis=0) / self.scale
        return dict(zip(PARAMETERS, ratio.tolist(), strict=True))

    def _offset(self) -> int:
        return int(self.history.start.timestamp() // 900 % 96)


def _weight(hours: int) -> float:
    """Of an hourly error among so many of a prediction."""
    return float(np.sqrt(INDEPENDENT * EVERY / HORIZON / hours))


def _soft(errors: Array) -> Array:
    """Errors whose square is the loss 2 (sqrt(1 + z) - 1) of z, the squared error in good models' errors."""
    scale = 2 * _weight(len(errors))
    z = (errors / scale) ** 2
    return np.asarray(np.sign(errors) * scale * np.sqrt(2 * (np.sqrt(1 + z) - 1)))


def _inputs_known(history: History) -> "np.typing.NDArray[np.bool_]":
    always = (history.outdoor, history.people, history.valve, history.damper, history.supply_air, history.water)
    known = ~np.isnan(np.sum(always, axis=0))
    dark = history.gain_open == 0
    return np.asarray(known & ~np.isnan(history.gain_open) & (dark | ~np.isnan(history.shade + history.gain_shaded)))


def _what_is_missing(history: History) -> str:
    names = ("air", "outdoor", "gain_open", "shade", "people", "valve", "damper")
    absent = {name: float(np.isnan(getattr(history, name)).mean()) for name in names}
    return "unknown: " + ", ".join(f"{name} {share:.0%}" for name, share in absent.items() if share > 0.02)


def _steps_since_long_gap(known: "np.typing.NDArray[np.bool_]") -> Steps:
    """Steps since the history began, or since the last gap of LONG_GAP or more ended."""
    steps = np.arange(len(known))
    last = np.maximum.accumulate(np.where(known, steps, -1))
    gap_end = known & (np.concatenate([[False], steps[1:] - last[:-1] > LONG_GAP]))
    return np.asarray(steps - np.maximum.accumulate(np.where(gap_end, steps, 0)))
