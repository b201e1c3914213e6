"""The nightly lesson of a room: learn, compare with the model in force, and take what does not predict much worse.

The last part of the history is kept for the comparison, and tonight's model is not taught it before. The model in force
may have been, on the nights before, and so looks better than it is: hence the allowance WORSE. What stood the
comparison is taught the whole history before it is taken: the newest days are those that the coming ones are like, and
the room's own plan shows what its former rule never did.

The errors that a model is stored with, which a plan keeps to the comfort limit, are of days that were not taught before
they were predicted: a model that is kept keeps those that it has, until it is older than all judged days.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.identification import Identified, TooLittleDataError, identify
from esus_pipeline.control.model.room_model import PARAMETERS, RoomModel
from esus_pipeline.control.model.score import HOURS, Score, score
from esus_pipeline.frames import ROOM_MODELS
from esus_pipeline.site import Site

DAY = 96
"""Steps of a day."""
JUDGED_DAYS = 7
"""Days at the end of the history that models are compared on; a quarter of a shorter one."""
WORSE = 1.2
"""A new model is refused where its error is over this many times that of the model in force, which may have been taught
the days that both are judged on."""
LEAST_PREDICTIONS = 24
"""Predictions that models are compared on, at the longest horizon that has as many: windows that are opened every day
leave none of 24 hours."""
LATER = ("t_radiator",)
"""Parameters that rows of earlier versions do not have."""
ABSURD = 3.0
"""K; a new model with a greater error is refused whatever is in force."""


@dataclass(frozen=True)
class Lesson:
    """What a night taught about a room."""

    model: RoomModel
    """In force from now on; its errors `rmse` are of days not taught."""
    taken: bool
    """Whether that is tonight's."""
    verdict: str
    """Why, in a sentence for a person."""
    score: Score | None = None
    """Of the model in force on the judged days. One that is kept may have been taught them; tonight's was not yet."""
    candidate: Score | None = None
    """Of tonight's model on the same days, before it was taught them."""
    identified: Identified | None = None


def lesson(prior: RoomModel, former: RoomModel | None, history: History | None) -> Lesson:
    """Learn from a history.

    Args:
        prior: the room as the site has it.
        former: the model in force until now; None where only the prior was.
        history: up to now; None where nothing is stored.
    """
    current = former or prior
    if history is None:
        return Lesson(current, False, "kept: no readings are stored")
    first = len(history) - min(JUDGED_DAYS * DAY, len(history) // 4)
    try:
        identified = identify(prior, history.part(0, first))
    except TooLittleDataError as error:
        return Lesson(current, False, f"kept: {error}")
    before, after = score(current, history, first), score(identified.model, history, first)
    errors = _errors(after)
    if not errors:
        return Lesson(current, False, "kept: too few readings with closed windows to compare the new model on", before)
    longest = max(errors)
    old, new = before.model[longest], errors[longest]
    compared = f"{longest} h error {new:.2f} K against {old:.2f} K of the model before it"
    if new > WORSE * old or new > ABSURD:
        kept = _judged(current, before, history.times[first])
        return Lesson(kept, False, f"kept: {compared}", before, after, identified)
    whole = identify(prior, history, start=identified.model)
    model = replace(whole.model, version=current.version + 1, rmse=errors)
    return Lesson(model, True, f"taken: {compared}", after, after, whole)


def to_frame(lessons: Mapping[str, Lesson], trained_at: datetime) -> pd.DataFrame:
    """Rows of frames.ROOM_MODELS."""
    rows = [_row(room, learned, trained_at) for room, learned in lessons.items()]
    frame = pd.DataFrame(rows, columns=ROOM_MODELS.schema.names)
    taught = {name: pd.to_datetime(frame[name], utc=True) for name in ("trained_from", "trained_to")}
    return ROOM_MODELS.conform(frame.assign(**taught))


def from_frame(rows: pd.DataFrame, site: Site) -> dict[str, RoomModel]:
    """The model in force of each room that has one, from rows of frames.ROOM_MODELS up to some night.

    A row whose numbers describe no room is passed over for the one before it. A parameter that the version which wrote
    the row did not know is the prior's.
    """
    models: dict[str, RoomModel] = {}
    for row in rows.sort_values("trained_at").to_dict("records"):
        if row["room"] in site.room_ids and row["version"] > 0:
            model = _model(RoomModel.from_site(site, row["room"]), row)
            if model is not None:
                models[row["room"]] = model
    return models


def _errors(found: Score) -> dict[int, float]:
    """Hours ahead -> K, where there are predictions enough."""
    return {hours: found.model[hours] for hours in HOURS if found.count[hours] >= LEAST_PREDICTIONS}


def _judged(model: RoomModel, found: Score, since: datetime) -> RoomModel:
    """A learned model with these errors of the days from `since` on, or as it is if it was taught some of them."""
    if model.trained_to is None or model.trained_to > since:
        return model
    return replace(model, rmse=_errors(found))


def _row(room: str, learned: Lesson, trained_at: datetime) -> dict[str, Any]:
    """The errors of a learned model are its own; those of the prior, which is taught nothing, are tonight's."""
    model = learned.model
    ranges = {} if learned.identified is None or not learned.taken else _ranges(learned.identified)
    untaught = learned.score.model if learned.score and model.version == 0 else model.rmse
    errors = {f"rmse_{hours}h": untaught.get(hours) for hours in HOURS}
    still = {f"persistence_{hours}h": learned.score.persistence[hours] if learned.score else None for hours in HOURS}
    return {
        "trained_at": trained_at,
        "room": room,
        "version": model.version,
        "taken": learned.taken,
        "verdict": learned.verdict,
        **{name: getattr(model, name) for name in (*PARAMETERS, "building_temperature")},
        "trained_from": model.trained_from,
        "trained_to": model.trained_to,
        **errors,
        **still,
        "candidate_rmse_24h": learned.candidate.model[24] if learned.candidate else None,
        "predictions": max(learned.score.count.values()) if learned.score else 0,
        "unknown": ",".join(model.unknown),
        "ranges": json.dumps(ranges, sort_keys=True),
    }


def _ranges(identified: Identified) -> dict[str, list[float]]:
    return {name: [float(f"{identified.low[name]:.4g}"), float(f"{identified.high[name]:.4g}")] for name in PARAMETERS}


def _model(prior: RoomModel, row: Mapping[Any, Any]) -> RoomModel | None:
    rmse = {hours: float(row[f"rmse_{hours}h"]) for hours in HOURS if pd.notna(row[f"rmse_{hours}h"])}
    names = [name for name in (*PARAMETERS, "building_temperature") if name not in LATER or pd.notna(row[name])]
    model = replace(
        prior.with_parameters({name: float(row[name]) for name in names}),
        version=int(row["version"]),
        trained_from=None if pd.isna(row["trained_from"]) else row["trained_from"].to_pydatetime(),
        trained_to=None if pd.isna(row["trained_to"]) else row["trained_to"].to_pydatetime(),
        rmse=rmse,
        unknown=tuple(name for name in row["unknown"].split(",") if name),
    )
    try:
        model.check()
    except ValueError:
        return None
    return model
