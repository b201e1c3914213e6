"""Judging a finished day, room by room: what was expected, what happened, and what the model says of plan and baseline.

A replay begins a day before the day that counts, where that is known as well, so that heat stored overnight is in the
figures of plan and baseline alike.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.control.inputs import Array
from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.savings.draws import drawn_models
from esus_pipeline.control.savings.known import QUARTERS, Known, Ranges
from esus_pipeline.control.savings.outcome import Outcome, outcome_of
from esus_pipeline.control.savings.replay import Stretch, hygienic_flow, measured_energy, replay
from esus_pipeline.control.savings.room_day import RoomDay, room_days
from esus_pipeline.control.savings.strategy import Strategy
from esus_pipeline.frames import SAVINGS

FIGURES = ("heat_kwh", "cooling_kwh", "cost", "discomfort")
"""What is told of the expected, the measured, the plan's and the baseline's day, in the order of `_figures`."""
_HOURS = 0.25


def judge(known: Known) -> pd.DataFrame:
    """The rows of frames.SAVINGS of a day: one per room, whatever is missing."""
    rows = []
    for day in room_days(known):
        model = known.models.get(day.room)
        outcome, reason = outcome_of(day, learned=model is not None)
        row: dict[str, Any] = {"day": known.day, "room": day.room, "outcome": str(outcome), "reason": reason}
        row |= {"version": model.version if model else 0, "draws": "[]"} | _named("expected", _expected(day))
        if outcome is not Outcome.READINGS_MISSING:
            row |= _named("measured", _measured(day, model or known.past.prior(day.room)))
        if model is not None and outcome not in (Outcome.READINGS_MISSING, Outcome.PLAN_MISSING):
            row |= _compared(day, model, known.ranges.get(day.room), outcome)
        rows.append(row)
    return SAVINGS.conform(pd.DataFrame(rows).reindex(columns=SAVINGS.schema.names))


def _compared(day: RoomDay, model: RoomModel, ranges: Ranges | None, outcome: Outcome) -> Mapping[str, Any]:
    """What the model says of plan and baseline, and of their difference; advice is taken as if it had been followed."""
    history = day.filled()
    plan = day.plan if outcome is Outcome.ADVICE or not day.has_shade else _as_it_stood(day.plan, history)
    steps = QUARTERS if day.lacking(before=True) or day.untold(before=True) else 2 * QUARTERS
    stretch = Stretch(
        history=history, first=len(history) - steps, working=day.clock.working[-steps:], flow=_flow(day, history)
    )
    lived = replay(
        day.site, drawn_models(model, ranges), stretch, [_last(each, steps) for each in (plan, day.baseline)]
    )
    figures = _figures(day, *(values[..., -QUARTERS:] for values in (lived.heat, lived.cooling, lived.air)))
    saving = figures["cost"][1] - figures["cost"][0]
    own = {
        name: value
        for which, party in enumerate(("plan", "baseline"))
        for name, value in _named(party, {name: values[which, 0] for name, values in figures.items()}).items()
    }
    low, high = np.percentile(saving[1:], [5, 95])
    low, high = min(low, saving[0]), max(high, saving[0])
    draws = json.dumps([float(f"{value:.4g}") for value in saving[1:]])
    return own | {"saving": saving[0], "saving_low": low, "saving_high": high, "draws": draws}


def _as_it_stood(plan: Strategy, history: History) -> Strategy:
    stood = history.shade[-len(plan.shade) :]
    shade = plan.shade.copy()
    shade[-len(stood) :] = stood
    return replace(plan, shade=shade)


def _last(strategy: Strategy, steps: int) -> Strategy:
    return Strategy(*(getattr(strategy, item.name)[-steps:] for item in fields(Strategy)))


def _flow(day: RoomDay, history: History) -> Array:
    """Supply air that would have run whatever the room was told, by the cooling setpoint it had as far as known."""
    told = np.where(np.isnan(day.thermostat.cooling), day.plan.cooling, day.thermostat.cooling)[-len(history) :]
    setpoint = np.full(len(history), day.site.comfort.occupied.high)
    setpoint[-len(told) :] = np.where(np.isnan(told), setpoint[-len(told) :], told)
    return hygienic_flow(history, day.site.room(day.room).ventilation_flow, setpoint)


def _measured(day: RoomDay, model: RoomModel) -> Mapping[str, Any]:
    history = day.filled()
    heat, cooling = measured_energy(model, history, _flow(day, history))
    return _figures(day, heat[-QUARTERS:], cooling[-QUARTERS:], history.air[-QUARTERS:])


def _expected(day: RoomDay) -> Mapping[str, Any]:
    """By the optimum in force when the day began."""
    if len(day.expected) != 24:
        return dict.fromkeys(FIGURES, np.nan)
    names = ("heating", "cooling", "temperature")
    return _figures(day, *(np.repeat(day.expected[name].to_numpy(dtype=float), 4) for name in names))


def _figures(day: RoomDay, heat: Array, cooling: Array, air: Array) -> Mapping[str, Any]:
    """Sums over the day's quarters of an hour, the last axis, of W of heat, W of cooling and degC."""
    tariffs, band = day.site.tariffs, day.site.comfort.occupied
    outside = np.maximum(air - band.high, 0) + np.maximum(band.low - air, 0)
    sums = (
        heat / 1000,
        cooling / 1000,
        (heat * tariffs.heat + cooling / tariffs.cooling_cop * day.electricity) / 1000,
        outside * day.clock.working[-QUARTERS:],
    )
    return {name: values.sum(axis=-1) * _HOURS for name, values in zip(FIGURES, sums, strict=True)}


def _named(party: str, figures: Mapping[str, Any]) -> dict[str, float]:
    return {f"{party}_{name}": float(value) for name, value in figures.items()}
