"""What one shade group's plan is computed from and what comes out: plain arrays, no frames, no site.

R rooms that share one shade command, H steps of one hour; step k lasts from k to k + 1 hours after the plan's start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.model.room_model import Array, RoomModel

Mask = npt.NDArray[np.bool_]

HOUR = 3600.0
"""Length of a step, s."""


class ProblemError(ValueError):
    """Inputs that no plan can be computed from; the message names the first of them in a person's words."""


@dataclass(frozen=True)
class Prices:
    """What things are worth, in the site's currency. Energy prices are (H,), per kWh of heat moved."""

    heat: Array
    cooling: Array
    """Electricity price over the coefficient of performance."""
    comfort: float
    """Per room and K h outside the comfort band."""
    view: float
    """Per room and working hour with the shade down."""
    move: float
    """Per room and move of a shade."""
    sun: Array | float = 0.0
    """Per kWh of sun that a closed shade keeps out, or (H,), beside what its own room would be heated less."""
    margin: Array | float = 0.12
    """Per room and K h, or (R, H), over the upper limit less the margin, as warm as the room would be without
    mechanical cooling, so that the margin is kept by shades and never by machines."""

    def first(self, hours: int) -> "Prices":
        """The prices of the first H hours."""
        return replace(self, heat=self.heat[:hours], cooling=self.cooling[:hours])


@dataclass(frozen=True)
class Held:
    """Where the group's shade stands when the plan begins."""

    closed: bool = False
    steps_since_move: int = 99
    """Whole hours since its last move."""
    moves_today: int = 0


@dataclass(frozen=True)
class GroupProblem:
    """The rooms of one shade group and all that is known of the coming H hours."""

    models: Sequence[RoomModel]
    air: Array
    """(R,) degC at the start."""
    mass: Array
    """(R,) degC at the start."""
    outdoor: Array
    """(H,) degC."""
    gain_open: Array
    """(R, H) W through open shades, frames.SOLAR_GAIN."""
    gain_shaded: Array
    """(R, H) W."""
    people: Array
    """(R, H) expected persons."""
    disturbance: Array
    """(R, H) W of heat that the model cannot explain."""
    low: Array
    """(H,) degC that the air must have at the end of each step."""
    high: Array
    """(H,) degC that the air must not exceed at the end of each step."""
    viewed: Mask
    """(H,) whether a view is worth something: with people, or in working hours, without glare."""
    dazzled: Array
    """(H,) 0..1, how sure it is that people will be spared the sun: the rule layer then lowers the shade, whatever is
    planned, so that share of the sun stays out of an open shade, but for what comes in until they are seen."""
    may_close: Mask
    """(H,) whether the shade may be down: for light that is worth keeping out, and with nobody there, so that it need
    not be raised for the night; elsewhere it is up."""
    blocked: Mask
    """(H,) whether the shade must be up."""
    day: npt.NDArray[np.int64]
    """(H,) local calendar day of each step."""
    heating_limit: Array
    """(R, H) W."""
    cooling_limit: Array
    """(R, H) W."""
    supply_air: Array
    """(H,) degC."""
    prices: Prices
    held: Held
    margin: Array
    """(R, H) K kept below `high` for the error of forecast and model."""
    dwell: int
    """Steps that a shade stays where it is after a move."""
    time_limit: float
    """Seconds after which the best plan found so far is taken."""
    gap: float = 1e-4
    """Share of the cost by which the plan may miss the best one."""

    @property
    def steps(self) -> int:
        """H."""
        return len(self.outdoor)

    def check(self) -> None:
        """ProblemError where a value is missing, not finite, or a model describes no room."""
        for model in self.models:
            try:
                model.check()
            except ValueError:
                raise ProblemError(f"the learned model of {model.room} describes no room") from None
        named = {
            "room temperature": self.air,
            "temperature of the walls": self.mass,
            "outdoor temperature": self.outdoor,
            "sun through open shades": self.gain_open,
            "sun through closed shades": self.gain_shaded,
            "number of people": self.people,
            "disturbance": self.disturbance,
            "heat price": self.prices.heat,
            "electricity price": self.prices.cooling,
        }
        for name, values in named.items():
            if not np.isfinite(values).all():
                raise ProblemError(f"the {name} is not known for all hours")


@dataclass(frozen=True)
class GroupPlan:
    """The best plan found, or the incumbent when the time was up."""

    closed: Mask
    """(H,) whether the shade is down."""
    air: Array
    """(R, H) degC at the end of each step."""
    mass: Array
    """(R, H) degC of floors and walls at the end of each step."""
    heating: Array
    """(R, H) W."""
    cooling: Array
    """(R, H) W, positive."""
    cost: float
    """Everything in the objective, in the site's currency."""
    energy_cost: float
    """Of heating and cooling alone."""
    discomfort: float
    """K h outside the band, all rooms."""
    bound: float
    """What no plan of this problem can cost less than."""
    seconds: float
    proven: bool
    """Whether the plan is within the allowed gap of the bound; False for an incumbent that ran out of time."""
