"""What a building does not want to be told: dead points, work under way, quiet hours. Belongs here: their typed form.

Silencing holds messages back; it never hides a state. Whatever is silenced is named in the checks and in the digest.
"""

from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

Reason = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KnownDead(_Part):
    """Points that are known not to work."""

    points: Annotated[tuple[int, ...], Field(min_length=1)]
    reason: Reason
    until: date | None = None
    """Last local day on which this holds; without it, for good."""


class Silence(_Part):
    """A time of work on the building: nothing is told of these controllers and points, or, naming none, of anything."""

    start: datetime
    end: datetime
    controllers: tuple[str, ...] = ()
    points: tuple[int, ...] = ()
    reason: Reason

    @model_validator(mode="after")
    def _order(self) -> "Silence":
        if (self.start.tzinfo is None) != (self.end.tzinfo is None):
            raise ValueError("start and end must both have a zone, or neither")
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self

    def holds(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Whether the instant lies in it; times without a zone are local."""
        start, end = (each if each.tzinfo else each.replace(tzinfo=zone) for each in (self.start, self.end))
        return start <= instant < end


class QuietHours(_Part):
    """Local hours in which only errors are told; warnings wait for their end. They may pass midnight."""

    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    """Days on which the hours begin; 0 is Monday."""
    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        """Whether the local time lies in them."""
        clock = local.time()
        today, yesterday = local.weekday() in self.weekdays, (local.weekday() - 1) % 7 in self.weekdays
        if self.start < self.end:
            return today and self.start <= clock < self.end
        return (today and clock >= self.start) or (yesterday and clock < self.end)


class Alerting(_Part):
    """The part `alerts:` of a site."""

    known_dead: tuple[KnownDead, ...] = ()
    silences: tuple[Silence, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    digest_at: time = time(7)
    """Local time of the daily digest."""

    def dead(self, day: date) -> dict[int, str]:
        """Points known not to work on a local day, and why."""
        return {
            point: known.reason
            for known in self.known_dead
            if known.until is None or day <= known.until
            for point in known.points
        }
