"""A plan every 15 minutes from an optimum every hour: what a caller that plans again and again holds on to."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from esus_pipeline.control.inputs import PlanInputs
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.optimiser import Optimum, current, optimise
from esus_pipeline.control.plan import Plan, decide


class Planner:
    """Remembers the optimum between plans. Instants must not go back."""

    def __init__(
        self,
        optimum: Optimum | None = None,
        pool: ThreadPoolExecutor | None = None,
        models: Mapping[str, RoomModel] | None = None,
    ) -> None:
        """`optimum` is the last one and `models` those it was made with; `pool` solves shade groups side by side."""
        self.optimum = optimum
        self.renewed = False
        """Whether the last plan made a new optimum."""
        self._pool = pool
        self.models: Mapping[str, RoomModel] = models or {}

    def due(self, as_of: datetime) -> bool:
        """Whether a plan of that instant will make a new optimum."""
        return not current(self.optimum, as_of)

    def plan(self, inputs: PlanInputs) -> Plan:
        """The plan of `inputs.as_of`, with a new optimum where the last one has served its hour or is a failed one."""
        self.renewed = self.due(inputs.as_of)
        if self.renewed:
            self.optimum, self.models = optimise(inputs, self._pool), inputs.models
        return decide(inputs if self.renewed else replace(inputs, models=self.models), self.optimum)
