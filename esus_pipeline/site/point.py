"""One logged point of the building's system: a row of points.csv. Belongs here: what a row may say."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_SWITCHES = {"bool", "state"}


class Point(BaseModel):
    """One logged point of the building's system."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[int, Field(ge=0, lt=2**63)]
    path: str
    room: str | None
    quantity: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """What is measured; a column of the room table."""
    unit: str
    role: Literal["measurement", "setpoint", "command", "meter"]
    max_silence: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    """Silence that is normal until the point's rhythm is learned; without it the quantity's `max_age`."""
    note: str = ""

    @field_validator("quantity")
    @classmethod
    def _not_a_key(cls, quantity: str) -> str:
        if quantity in ("room", "timestamp"):
            raise ValueError("is a column of the room table already; choose another name")
        return quantity

    @model_validator(mode="after")
    def _silence_that_tells(self) -> "Point":
        if self.max_silence is not None and self.silent_by_nature:
            raise ValueError("must be empty for a setpoint, command or switch, whose silence says nothing")
        return self

    @property
    def silent_by_nature(self) -> bool:
        """Whether the point is one that speaks only when somebody or something switches."""
        return self.role in ("setpoint", "command") or self.unit in _SWITCHES

    @property
    def controller(self) -> str:
        """What delivers late together: the first part of the path."""
        return self.path.strip("/").split("/", 1)[0]
