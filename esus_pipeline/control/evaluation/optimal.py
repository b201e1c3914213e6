"""The product's own controller in the loop: the same functions that the assets call, on what a plant says.

Belongs here: calling them in the order of the pipeline, and a plan's first step as commands. Does not belong here: any
decision, and what the pipeline would hold (see diary).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.diary import Diary, room_rows
from esus_pipeline.control.evaluation.protocol import Command, Observation
from esus_pipeline.control.inputs import PlanInputs, RoomState, shade_states
from esus_pipeline.control.model import RoomModel, estimate
from esus_pipeline.control.model.now import people_ahead
from esus_pipeline.control.model.occupancy import Habits, learn
from esus_pipeline.control.model.occupancy_table import expected_by_room
from esus_pipeline.control.model.training import lesson
from esus_pipeline.control.override import Override, overrides
from esus_pipeline.control.planner import Planner
from esus_pipeline.control.setpoints import told_setpoints
from esus_pipeline.control.stored import WIND_MEMORY
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

_TOLD = ("shade_position", "heating_setpoint", "cooling_setpoint")
_ELSEWHERE = 0.1
"""Of a shade's travel."""
_DAY = timedelta(days=1) // STEP
_STATE_MEMORY = timedelta(hours=36) // STEP
"""Steps that a room's state is estimated from."""
_HAND_MEMORY = timedelta(hours=6) // STEP


class Optimal:
    """Plans every 15 minutes on what the plant said so far and carries out the plan's first step.

    A plant has no points and says of each room what is now, so no age of it can be told: in the traces it is null.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._planner, self._diary = site, Planner(), Diary(site)
        self._models = {room: RoomModel.from_site(site, room) for room in site.room_ids}
        self._habits: Mapping[str, Habits | None] = {}
        self._commanded = pd.DataFrame()
        self._told: dict[str, float] = {}
        self._left = -1

    def learn(self, past: Sequence[Observation]) -> None:
        """See Learner: the nightly lesson of every room, and its people's habits."""
        for observation in past:
            self._diary.note(observation)
        histories = {room: self._diary.history(room) for room in self._site.room_ids}
        self._models = {room: lesson(self._models[room], None, own).model for room, own in histories.items()}
        self._habits = {room: learn(pd.Series(own.people, own.times), self._site) for room, own in histories.items()}

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        now = observation.time
        self._diary.note(observation)
        inputs = PlanInputs(
            site=self._site,
            as_of=now,
            forecast=observation.forecast,
            gains=self._diary.gains,
            rooms=room_rows(self._site, observation),
            wind_age=None if np.isnan(observation.wind_speed) else timedelta(0),
            past_wind=self._diary.past_wind(WIND_MEMORY // STEP),
            shades=shade_states(self._commanded, now, self._site.zone),
            overrides=self._overrides(observation),
            told=told_setpoints(self._commanded, now),
            models=self._models,
            prices=observation.prices,
        )
        if self._planner.due(inputs):
            inputs = replace(inputs, states=self._states(), people=self._expected(observation))
        first = self._planner.plan(inputs).commands
        self._commanded = pd.concat([self._commanded, first]).tail(_DAY * len(first))
        self._told = dict(zip(first["room"], first["shade_position"], strict=True))
        told = zip(*(first[name].to_numpy(dtype=float) for name in _TOLD), strict=True)
        return {str(room): Command(*values) for room, values in zip(first["room"], told, strict=True)}

    def _states(self) -> dict[str, RoomState]:
        """How every room is now, by its model's Kalman filter; none before an hour was seen."""
        states = {}
        for room, model in self._models.items():
            try:
                last = estimate(model, self._diary.history(room, _STATE_MEMORY)).last
            except ValueError:
                continue
            states[room] = RoomState.of(last)
        return states

    def _expected(self, observation: Observation) -> pd.DataFrame | None:
        """People to come, as told by perfect foresight, or by habits where some were learned."""
        if observation.people is not None or not self._habits:
            return observation.people
        histories = {room: self._diary.history(room, _DAY // 6) for room in self._site.room_ids}
        return expected_by_room(people_ahead(self._site, self._habits, histories, observation.time))

    def _overrides(self, observation: Observation) -> Mapping[str, Override]:
        """Hands on the shades, looked for as long as one may hold since a shade last stood elsewhere than told."""
        stood = {room: reading.shade_position for room, reading in observation.rooms.items()}
        if any(abs(stood[room] - told) > _ELSEWHERE for room, told in self._told.items()):
            self._left = int(timedelta(minutes=self._site.control.override_minutes) / STEP) + 4
        self._left -= 1
        if self._left < 0 or self._commanded.empty:
            return {}
        return overrides(self._site, self._commanded, self._diary.rows(_HAND_MEMORY), observation.time)
