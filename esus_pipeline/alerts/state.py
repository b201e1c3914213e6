"""What is remembered from tick to tick, and the messages that leave: plain data, kept by `store`.

An incident is what one start message told of: it ends, with one end message, when all of its conditions are over.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from esus_pipeline.alerts.condition import Condition, Severity


@dataclass(frozen=True)
class Ongoing:
    """A condition from its first sight until it is over."""

    condition: Condition
    """As last seen."""
    first_seen: datetime
    last_seen: datetime
    incident: str | None = None
    """The incident that told of it; None: nobody was told."""
    final_since: datetime | None = None
    """Since when it is known that its readings are lost."""

    @property
    def since(self) -> datetime:
        """Since when it is so."""
        return self.condition.since or self.first_seen


@dataclass(frozen=True)
class Incident:
    """What one start message told of."""

    id: str
    group: str
    opened_at: datetime
    severity: Severity
    ended: tuple["Past", ...] = ()
    """Its conditions that are over already."""


@dataclass(frozen=True)
class Past:
    """A condition that is over; told of in the next digest."""

    summary: str
    since: datetime
    ended_at: datetime


@dataclass(frozen=True)
class Told:
    """The last start message of a group."""

    at: datetime
    severity: Severity
    """Of what it told of this group."""


@dataclass(frozen=True)
class Waiting:
    """What has not been delivered, for people."""

    message: str
    channel: str
    title: str
    created_at: datetime
    attempts: int
    problem: str
    given_up_at: datetime | None
    """None: it is still tried."""


@dataclass(frozen=True)
class State:
    """Everything that one tick hands to the next."""

    ongoing: dict[str, Ongoing] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    starts: dict[str, Told] = field(default_factory=dict)
    """The last start message of each group."""
    recent_starts: tuple[datetime, ...] = ()
    """When the start messages of the last hour were made, one for each message."""
    past: tuple[Past, ...] = ()
    """What ended since the last digest, newest last, limited."""
    last_digest: date | None = None
    """Local day of the last digest."""
    last_look: datetime | None = None


class Kind(StrEnum):
    """Why a message is sent."""

    START = "start"
    END = "end"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True)
class Entry:
    """One line of a message."""

    severity: Severity
    summary: str
    since: datetime
    until: datetime | None = None
    advice: str = ""
    link: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Entries under a heading; the heading of a start or end message is empty."""

    heading: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Message:
    """One message before it is put into words for a medium."""

    id: str
    """The same for the same message, however often it is sent: receivers can recognise a repetition."""
    kind: Kind
    group: str
    severity: Severity
    title: str
    created_at: datetime
    sections: tuple[Section, ...]
