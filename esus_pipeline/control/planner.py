"""A plan every 15 minutes from an optimum every hour: what a caller that plans again and again holds on to."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd

from esus_pipeline.control.groups import moving_groups
from esus_pipeline.control.inputs import PlanInputs
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.optimiser import Optimum, current, optimise
from esus_pipeline.control.optimiser.outlook import Group, outlook
from esus_pipeline.control.plan import Plan, decide


class Planner:
    """Remembers the optimum between plans, with the models and people it was made with. Instants must not go back."""

    def __init__(
        self,
        optimum: Optimum | None = None,
        pool: ThreadPoolExecutor | None = None,
        models: Mapping[str, RoomModel] | None = None,
        people: pd.DataFrame | None = None,
    ) -> None:
        """`optimum` is the last one, `models` and `people` (as in PlanInputs) are those it was made with.

        `pool` solves shade groups side by side.
        """
        self.optimum = optimum
        self.renewed = False
        """Whether the last plan made a new optimum."""
        self._pool = pool
        self.models: Mapping[str, RoomModel] = models or {}
        self.people = people

    def due(self, inputs: PlanInputs) -> bool:
        """Whether the plan will make a new optimum, for which it must be told models, states, people and prices too.

        It will where the last optimum has served its clock hour, and where it can be mended: a group of rooms that it
        could not plan has by now all that planning needs, or it was the solver that found none. A sensor that stays
        dead costs no new optimum.
        """
        optimum, site = self.optimum, inputs.site
        if optimum is None or not current(optimum, inputs.as_of):
            return True
        failed = [group for group in moving_groups(site) if any(site.room_ids[room] in optimum.why for room in group)]
        again = outlook(replace(inputs, models=self.models), failed) if failed else []
        return any(isinstance(task, Group) for task in again)

    def plan(self, inputs: PlanInputs) -> Plan:
        """The plan of `inputs.as_of`: with a new optimum where one is due, else with the last one and what it knew."""
        self.renewed = self.due(inputs)
        if self.renewed:
            self.optimum = optimise(inputs, self._pool)
            self.models, self.people = inputs.models, inputs.people
        return decide(replace(inputs, models=self.models, people=self.people), self.optimum)
