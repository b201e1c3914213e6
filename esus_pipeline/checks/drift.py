"""Is the building's list of points still the one that the site file was written from? New, vanished, renamed points.

Belongs here: comparing lists. The last list is kept between looks, so that the building is asked rarely, and so that a
point that is new can be told from one that was never wanted.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import pandas as pd

from esus_pipeline.checks.verdict import MOST_WORST, Level, Verdict
from esus_pipeline.site import Site

ASK_EVERY = timedelta(hours=6)
"""How long a list is good for."""
NEWS = timedelta(days=7)
"""How long a point that the site does not have counts as new."""

ADVICE = (
    "Correct points.csv: give renamed points their new path, vanished ones their new id (a log that is made anew gets "
    "one), add new ones that are wanted. esus doctor compares the lists, too."
)

_NO_ANSWER = "The building's system gave no list when it was asked"


@dataclass(frozen=True)
class Listing:
    """The building's list as last seen.

    `points` has the columns point_id, path and first_seen; points stay in it when they vanish, with gone = True.
    """

    asked_at: datetime
    points: pd.DataFrame

    def due(self, now: datetime) -> bool:
        """Whether the building should be asked again."""
        return now - self.asked_at >= ASK_EVERY

    def updated(self, answer: pd.DataFrame, now: datetime) -> "Listing":
        """This list after a new answer (columns point_id and path)."""
        return Listing(now, _merged(self.points, answer, now))

    @classmethod
    def begun(cls, answer: pd.DataFrame, now: datetime) -> "Listing":
        """The first list: nothing in it is new."""
        points = answer.assign(first_seen=pd.Timestamp(0, tz="UTC"), gone=False)
        return cls(now, points[["point_id", "path", "first_seen", "gone"]])


class Kind(StrEnum):
    """How a point of the site and of the building's list can differ."""

    VANISHED = "vanished"
    RENAMED = "renamed"
    NEW = "new"


@dataclass(frozen=True)
class Difference:
    """One point of which the site and the building's list say different things."""

    kind: Kind
    point: int
    subject: str
    note: str
    since: datetime | None = None
    """When it was first seen in the list, of a new one."""


def differences(site: Site, listing: Listing, now: datetime) -> list[Difference]:
    """Where the site's points and the building's list differ: those that the site knows, then the new ones by age."""
    points = listing.points
    there = points[~points["gone"].astype(bool)]
    paths = dict(zip(there["point_id"].astype(int), there["path"], strict=True))
    ids = {path: point for point, path in paths.items()}
    found = []
    for point in site.points:
        subject = f"{point.quantity} of {point.room or 'building'} ({point.id})"
        if point.id not in paths:
            again = ids.get(point.path)
            note = f"vanished{f'; its path has the id {again} now' if again else ''}"
            found.append(Difference(Kind.VANISHED, point.id, subject, note))
        elif paths[point.id] != point.path:
            note = f"renamed from {point.path} to {paths[point.id]}"
            found.append(Difference(Kind.RENAMED, point.id, subject, note))
    fresh = there[(now - there["first_seen"] <= NEWS) & ~there["point_id"].isin(list(site.point_ids))]
    return found + [
        Difference(Kind.NEW, point, f"point {point}", f"new: {path}", since.to_pydatetime())
        for since, point, path in sorted(zip(fresh["first_seen"], fresh["point_id"], fresh["path"], strict=True))
    ]


def drift(site: Site, listing: Listing | None, now: datetime) -> Verdict:
    """What differs between the site's points and the building's list. New points are named and fail nothing.

    A list that is due to be asked for again is one that the building did not answer for. Without any list there is
    nothing to judge, which is no drift.
    """
    if listing is None:
        return Verdict(passed=True, level=Level.WARNING, summary=f"{_NO_ANSWER}; nothing is judged.", advice="")
    found = differences(site, listing, now)
    dead = site.alerts.dead(now.astimezone(site.zone).date())
    counts = Counter(each.kind for each in found if each.point not in dead)
    passed = not (counts[Kind.VANISHED] or counts[Kind.RENAMED])
    old = f" {_NO_ANSWER}; this one is of {listing.asked_at:%Y-%m-%d %H:%M} UTC." if listing.due(now) else ""
    return Verdict(
        passed=passed,
        level=Level.WARNING,
        summary=f"{counts[Kind.VANISHED]} points vanished, {counts[Kind.RENAMED]} renamed, {counts[Kind.NEW]} new "
        f"in the building's list.{old}",
        advice=ADVICE if counts.total() else "",
        worst=tuple(
            {
                "subject": each.subject,
                "windows": 0,
                "note": each.note,
                "silenced": f"known dead: {dead[each.point]}" if each.point in dead else "",
            }
            for each in sorted(found, key=lambda each: each.point in dead)[:MOST_WORST]
        ),
        worst_in_all=len(found),
        numbers={
            **{kind.value: counts[kind] for kind in Kind},
            "listed": int((~listing.points["gone"].astype(bool)).sum()),
            "asked_at": listing.asked_at.isoformat(),
        },
    )


def _merged(old: pd.DataFrame, answer: pd.DataFrame, now: datetime) -> pd.DataFrame:
    seen = dict(zip(old["point_id"].astype(int), old["first_seen"], strict=True))
    there = answer.assign(
        first_seen=[seen.get(int(point), pd.Timestamp(now)) for point in answer["point_id"]], gone=False
    )
    gone = old[~old["point_id"].isin(there["point_id"])].assign(gone=True)
    merged = pd.concat([there, gone], ignore_index=True)[["point_id", "path", "first_seen", "gone"]]
    return merged.sort_values("point_id", ignore_index=True)
