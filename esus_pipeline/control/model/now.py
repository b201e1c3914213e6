"""What a plan is told of the rooms: the models in force, the states they are in, and the people to come.

Belongs here: putting the parts together for the instants of one day, from the archive. A live plan and a backfilled one
are told the same: nothing is used that was not known at the instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.history import History
from esus_pipeline.control.model.kalman import State, estimate
from esus_pipeline.control.model.occupancy import Habits, forecast, learn
from esus_pipeline.control.model.occupancy_table import to_frame
from esus_pipeline.control.model.past import Past, read_past
from esus_pipeline.control.model.people import SENSORS, people_present
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.model.training import from_frame
from esus_pipeline.frames import ROOM_MODELS, STEP
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site

WARM_UP = timedelta(days=2)
"""Readings before the day that a state is estimated from."""
HABITS = timedelta(days=42)
"""Readings before the day that people's habits are taken from."""
AHEAD = timedelta(hours=48)
NIGHTS = 3
"""Stored nights that are read; each holds the model in force of every room."""
FRESH = timedelta(hours=2)
"""A state whose last temperature is older than this is not told."""


@dataclass(frozen=True)
class Now:
    """At one instant; rooms of which nothing is known are absent."""

    models: Mapping[str, RoomModel] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    """Each the newest estimate (State.last)."""
    people: pd.DataFrame | None = None
    """Rows of frames.OCCUPANCY_FORECAST issued at the instant."""


class RoomsNow:
    """The rooms at the instants of the UTC day that `day` lies in.

    Habits are those of the days before it, and a state is carried on from the one at its start, so that an instant
    costs little after the first one.
    """

    def __init__(self, site: Site, archive: Archive, day: datetime) -> None:
        self._site, self._archive = site, archive
        self._start = datetime.combine(day.date(), time(), day.tzinfo)
        self._mornings: dict[tuple[str, int], State | None] = {}
        self._lessons: dict[int, dict[str, RoomModel]] = {}

    def at(self, as_of: datetime) -> Now:
        """What is known at an instant of the day, its end included."""
        models = self._models(as_of)
        past = self._past.before(as_of)
        histories = {room: history for room in self._site.room_ids if (history := past.history(room)) is not None}
        states = {
            room: self._state(models.get(room) or self._before.prior(room), history)
            for room, history in histories.items()
            if _fresh(history, as_of)
        }
        return Now(models, states, self._people(histories, as_of))

    @cached_property
    def _past(self) -> Past:
        return read_past(self._archive, self._site, self._start - WARM_UP, self._start + timedelta(days=1))

    @cached_property
    def _before(self) -> Past:
        return self._past.before(self._start)

    @cached_property
    def _nights(self) -> pd.DataFrame:
        return _stored_models(self._archive, self._start + timedelta(days=1))

    def _models(self, as_of: datetime) -> dict[str, RoomModel]:
        rows = self._nights[self._nights["trained_at"] <= as_of]
        if len(rows) not in self._lessons:
            self._lessons[len(rows)] = from_frame(rows, self._site)
        return self._lessons[len(rows)]

    def _state(self, model: RoomModel, history: History) -> State:
        morning = self._morning(model)
        if morning is None:
            return estimate(model, history).last
        last = (self._start - history.start) // STEP - 1
        return estimate(model, history.part(last, len(history)), morning).last

    def _morning(self, model: RoomModel) -> State | None:
        """The state at the start of the day; None where no temperature was read before it."""
        key = model.room, model.version
        if key not in self._mornings:
            history = self._before.history(model.room)
            told = history is not None and not np.isnan(history.air).all()
            self._mornings[key] = estimate(model, history).last if history is not None and told else None
        return self._mornings[key]

    @cached_property
    def _habits(self) -> dict[str, Habits | None]:
        frame = room_frame(self._site)
        columns = ["room", "timestamp", *[name for name in SENSORS if name in frame.schema.names]]
        rows = self._archive.read(frame, self._start - HABITS, self._start, columns=columns, room=self._site.room_ids)
        return {
            str(room): learn(pd.Series(people_present(self._site.room(str(room)), own), own.index), self._site)
            for room, own in rows.set_index("timestamp").groupby("room")
        }

    def _people(self, histories: Mapping[str, History], as_of: datetime) -> pd.DataFrame:
        return people_ahead(self._site, self._habits, histories, as_of)


def people_ahead(
    site: Site, habits: Mapping[str, Habits | None], histories: Mapping[str, History], as_of: datetime
) -> pd.DataFrame:
    """The rows of frames.OCCUPANCY_FORECAST of an instant, for AHEAD, from habits and the latest past."""
    recent = {room: pd.Series(history.people, history.times) for room, history in histories.items()}
    times = pd.date_range(as_of, as_of + AHEAD, freq=STEP, inclusive="left")
    return to_frame(forecast(habits, recent, site, times), as_of)


def models_in_force(archive: Archive, site: Site, as_of: datetime) -> dict[str, RoomModel]:
    """The model of each room that has learned one by then."""
    rows = _stored_models(archive, as_of)
    return from_frame(rows[rows["trained_at"] <= as_of], site)


def _stored_models(archive: Archive, end: datetime) -> pd.DataFrame:
    """Rows of frames.ROOM_MODELS of the last nights up to `end`, that instant included."""
    nights = archive.days(ROOM_MODELS, end=end + timedelta(microseconds=1))[-NIGHTS:]
    if not nights:
        return ROOM_MODELS.empty()
    return archive.read(ROOM_MODELS, datetime.combine(nights[0], time(), end.tzinfo), end + timedelta(microseconds=1))


def _fresh(history: History, as_of: datetime) -> bool:
    known = np.flatnonzero(~np.isnan(history.air))
    return bool(len(known)) and as_of - (history.start + (int(known[-1]) + 1) * STEP) <= FRESH
