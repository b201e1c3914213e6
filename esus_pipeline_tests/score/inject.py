"""Losses and delays put into readings: which points, when, how long; by the seed alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.quality import controllers
from esus_pipeline.site import Site
from esus_pipeline_tests.score.worlds import POLL

GAP_HOURS = (2.0, 48.0)
DELAY_HOURS = (5 / 60, 8.0)


@dataclass(frozen=True)
class Event:
    """Readings of some points stamped in [start, end) are lost, or arrive together at the end."""

    lost: bool
    scope: str
    """point, controller or site"""
    points: tuple[int, ...]
    start: pd.Timestamp
    end: pd.Timestamp

    def hits(self, raw: pd.DataFrame) -> np.ndarray:
        """Which of the readings it concerns."""
        stamps = raw["timestamp"]
        return (raw["point_id"].isin(self.points) & (stamps >= self.start) & (stamps < self.end)).to_numpy()


def outages(seed: int, site: Site, start: datetime, end: datetime) -> list[Event]:
    """Events of about two weeks: gaps of 2 to 48 h, delays of 5 min to 8 h, of a point, a controller or the site."""
    chance = np.random.default_rng(seed)
    names = controllers(site)
    members = {name: tuple(p.id for p in site.points if p.controller == name) for name in names}
    single = [(point.id,) for point in site.points]
    wanted = [(True, "point", 8), (True, "controller", 1), (True, "site", int(seed % 2)), (False, "point", 6)]
    events = []
    for lost, scope, count in [*wanted, (False, "controller", 4)]:
        for _ in range(count):
            if scope == "site":
                points = site.point_ids
            elif scope == "controller":
                points = members[names[chance.integers(len(names))]]
            else:
                points = single[chance.integers(len(single))]
            events.append(_event(chance, lost, scope, points, start, end))
    return events


def _event(
    chance: np.random.Generator, lost: bool, scope: str, points: tuple[int, ...], start: datetime, end: datetime
) -> Event:
    low, high = GAP_HOURS if lost else DELAY_HOURS
    length = timedelta(hours=float(low * (high / low) ** chance.uniform()))
    begin = start + chance.uniform() * (end - start - length - timedelta(hours=12))
    edges = [pd.Timestamp(edge).floor("s").as_unit("us") for edge in (begin, begin + length)]
    return Event(lost, scope, points, *edges)


def strike(raw: pd.DataFrame, events: list[Event]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Readings as they arrive, and the truth: (point_id, start, end, lost, scope) wherever a reading was hit."""
    raw, truth = raw.copy(), []
    gone = np.zeros(len(raw), dtype=bool)
    for event in events:
        hit = event.hits(raw)
        if event.lost:
            gone |= hit
        else:
            handed_over = event.end.ceil("15min") + POLL
            raw.loc[hit, "received_at"] = raw.loc[hit, "received_at"].clip(lower=handed_over)
        truth += [
            {"point_id": point, "start": event.start, "end": event.end, "lost": event.lost, "scope": event.scope}
            for point in sorted(set(raw.loc[hit, "point_id"]))
        ]
    return raw[~gone], pd.DataFrame(truth, columns=["point_id", "start", "end", "lost", "scope"])
