"""What can be wrong, in plain data: the input of everything in this package.

Belongs here: the shape of a condition and of one look at the system. Does not belong here: whether anyone is told.
Texts may come from point names, exceptions and other strangers: a condition keeps them on one line and of limited
length; whoever shows them escapes them for his medium.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

LONGEST = 300
"""Characters of a text that a condition keeps."""
SETTLE = timedelta(hours=1)
"""How long that must be well which is judged once a quarter of an hour, until it is over: what fails in one window of
four is not well between."""
_SURE = {None: "", False: " (provisional: may still come)", True: " (final: lost unless late data revokes it)"}


class Severity(IntEnum):
    """How much it matters. A warning can wait for the morning; an error cannot."""

    WARNING = 1
    ERROR = 2

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower()


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text without line breaks, control and direction characters, cut to a length."""
    if text.isprintable() and len(text) <= longest and "  " not in text:
        return text.strip()
    visible = "".join(" " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Cs") else each for each in text)
    words = " ".join(visible.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong now."""

    key: str
    """Identity over time, such as `point:6023` or `controller:TM023_3_20_1.204`."""
    source: str
    """Which look found it, such as `points`; a source that could not look says nothing about its conditions."""
    group: str
    """What is told of together: a controller, `runs`, `forecast`, ..."""
    severity: Severity
    summary: str
    """What is wrong, one sentence, without the time."""
    advice: str
    """What to do, one sentence."""
    since: datetime | None = None
    """Since when, where it can be told; else from when it was first seen."""
    link: str = ""
    """Path below the address of Dagster's UI, such as /runs/abc."""
    points: tuple[int, ...] = ()
    """Points that it is about; silences may name them."""
    details: tuple[str, ...] = ()
    """Further lines, such as the points of a controller."""
    cause: str = ""
    """Key of the condition that explains this one: while that one lasts, nobody is told of this one."""
    patience: timedelta = timedelta()
    """How long it must last before anybody is told."""
    settle: timedelta = timedelta(minutes=10)
    """Not seen for this long, it is over; a shorter gap is flutter."""
    final: bool | None = None
    """Whether the readings that it is about are lost (True) or may still come (False); None: it is about none."""

    def __post_init__(self) -> None:
        """Bring every text into a form that cannot break out of its line."""
        for name in ("key", "source", "group", "summary", "advice", "link"):
            object.__setattr__(self, name, one_line(getattr(self, name)))
        object.__setattr__(self, "details", tuple(one_line(line) for line in self.details))

    @property
    def statement(self) -> str:
        """What is wrong and how sure that is."""
        return self.summary + _SURE[self.final]


@dataclass(frozen=True)
class Look:
    """One look at the whole system."""

    conditions: tuple[Condition, ...] = ()
    blind: frozenset[str] = frozenset()
    """Sources that could not look this time: what they told before is neither over nor new."""

    @classmethod
    def of(cls, conditions: Iterable[Condition], blind: Iterable[str] = ()) -> "Look":
        """A look at these; of two conditions with one key the graver counts."""
        found: dict[str, Condition] = {}
        for condition in conditions:
            known = found.get(condition.key)
            if known is None or condition.severity > known.severity:
                found[condition.key] = condition
        return cls(tuple(found.values()), frozenset(blind))
