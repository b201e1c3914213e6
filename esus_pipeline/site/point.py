"""One logged point of the building's system: a row of points.csv. Belongs here: what a row may say."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


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
    note: str = ""

    @field_validator("quantity")
    @classmethod
    def _not_a_key(cls, quantity: str) -> str:
        if quantity in ("room", "timestamp"):
            raise ValueError("is a column of the room table already; choose another name")
        return quantity

    @property
    def controller(self) -> str:
        """What delivers late together: the first part of the path."""
        return self.path.strip("/").split("/", 1)[0]
