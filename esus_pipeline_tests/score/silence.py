"""Silence: replay the scored weeks window by window as they would have been lived, and hold the alarms to the truth.

Two levels of alarm are scored. A *notice* is what a person sees first: a point that is `late` by its own silence, a
controller that is late. It is right when readings were lost or still under way at that time. A *loss* is what the
ledger calls missing in the end, and the state `missing`: it is right only when readings were lost for good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.instants import NEVER, length, microseconds
from esus_pipeline.quality import (
    FINAL,
    Arrived,
    Bounds,
    Heard,
    Progress,
    away,
    bounds,
    controllers,
    gaps,
    learn,
    learn_lateness,
    progress,
)
from esus_pipeline.readings import clean
from esus_pipeline.site import Point
from esus_pipeline_tests.score.inject import outages, strike
from esus_pipeline_tests.score.worlds import POLL, World, with_points

STEP = timedelta(minutes=15)
HOUR = timedelta(hours=1)
RULES = ("ours_notice", "ours_loss", "one_hour", "wall_clock")


@dataclass(frozen=True)
class Lived:
    """What the polls of the scored weeks knew: arrays are [windows, points or controllers]."""

    ends: np.ndarray
    newest: np.ndarray
    own: np.ndarray
    """Share of the bound used, against the controller's watermark."""
    wall: np.ndarray
    """The same against the end of the window."""
    reached: Progress


def learned(world: World) -> Bounds:
    """Bounds from the training part alone."""
    site, start = world.site, world.start
    series = clean(site, world.training, None, start)
    rhythm = learn(site, series, start)
    return bounds(site, rhythm, learn_lateness(site, world.training, start, bounds(site, rhythm)))


def live(world: World, limits: Bounds, arrived: pd.DataFrame) -> Lived:
    """The scored weeks as they were known poll by poll."""
    ends = microseconds(pd.date_range(world.start, world.end, freq=STEP, inclusive="right", unit="us"))
    known = pd.concat([world.training, arrived])
    newest = Arrived(world.site.point_ids, known).newest(ends + length(POLL))
    reached = progress(ends, newest, limits)
    marks = reached.watermark[:, limits.member]
    own = limits.used(newest, marks, away(reached, limits, ends, newest, marks))
    wall = limits.used(newest, np.broadcast_to(ends[:, None], newest.shape))
    return Lived(ends, newest, own, wall, reached)


def alarms(world: World, limits: Bounds, arrived: pd.DataFrame) -> pd.DataFrame:
    """Alarms of every rule: (rule, who, since, noticed, until); `who` is a point id, or a controller's name."""
    seen, points, names = live(world, limits, arrived), world.site.point_ids, controllers(world.site)
    tardy, marks = seen.reached.tardy, seen.reached.watermark
    lost = (seen.own > 1) & (seen.ends[:, None] - seen.newest > length(FINAL))
    judged = ~limits.silent[None, :]
    parts = [
        _episodes(seen.ends, seen.own > 1, seen.newest, points, "ours_notice"),
        _episodes(seen.ends, tardy, marks, names, "ours_notice"),
        _episodes(seen.ends, lost, seen.newest, points, "ours_loss"),
        _episodes(seen.ends, tardy & (seen.ends[:, None] - marks > length(FINAL)), marks, names, "ours_loss"),
        _episodes(
            seen.ends, judged & (seen.ends[:, None] - seen.newest > 3_600_000_000), seen.newest, points, "one_hour"
        ),
        _episodes(seen.ends, seen.wall > 1, seen.newest, points, "wall_clock"),
        _ledger(world, limits, arrived),
    ]
    return pd.concat([pd.DataFrame(part, columns=COLUMNS) for part in parts], ignore_index=True)


COLUMNS = ["rule", "who", "since", "noticed", "until"]
Alarm = tuple[str, int | str, int, int, int]


def _episodes(ends: np.ndarray, on: np.ndarray, since: np.ndarray, who: object, rule: str) -> Iterator[Alarm]:
    """Unbroken stretches of windows in which the alarm is on; `since` is the stamp after which nothing was known."""
    for column, name in enumerate(who):  # type: ignore[arg-type, var-annotated]
        flags = np.r_[False, on[:, column], False]
        for first, last in zip(*(np.flatnonzero(np.diff(flags.astype(int)) == k) for k in (1, -1)), strict=True):
            yield rule, name, int(since[first, column]), int(ends[first]), int(ends[last - 1])


def _ledger(world: World, limits: Bounds, arrived: pd.DataFrame) -> Iterator[Alarm]:
    """Gaps that are in the ledger when everything has arrived and is final."""
    known = pd.concat([world.training, arrived])
    rows = known[known["timestamp"] >= pd.Timestamp(world.start) - timedelta(days=3)]
    heard = Heard(world.site.point_ids, rows.assign(quality="good"), pd.Series(dtype="datetime64[us, UTC]"))
    found = gaps(world.site, heard, limits, world.start, world.end)
    columns = [microseconds(found[name]) for name in ("gap_start", "first_seen", "gap_end")]
    end = length(FINAL)
    for point, since, seen, until in zip(found["point_id"], *columns, strict=True):
        if since < microseconds(pd.DatetimeIndex([world.start]))[0]:
            continue
        yield "ours_loss", point, since, (max(seen, until + end) if until != NEVER else since + end), max(seen, until)


def score(world: World, seeds: range) -> pd.DataFrame:
    """One row per rule, quantity (and `all`): recall, precision, false alarms, delays."""
    points, limits, hits, verdicts = commissioned(world), learned(world), [], []
    site = with_points(world.site, points)
    judged = [*site.point_ids, *controllers(site)]
    for seed in seeds:
        arrived, truth = strike(world.scored, outages(seed, site, world.start, world.end))
        rung = alarms(world, limits, arrived)
        rung = rung[rung["who"].isin(judged)]
        hits.append(_detected(world, limits, truth[truth["lost"]], rung).assign(seed=seed))
        verdicts.append(_verdicts(world, truth, rung).assign(seed=seed))
    return _table(pd.concat(hits), pd.concat(verdicts), len(seeds) * world.weeks)


def commissioned(world: World) -> tuple[Point, ...]:
    """Points that are struck and judged: whether one lives that said next to nothing in training, nobody knows.

    The others stay in the world, where a watermark must do without them.
    """
    heard = world.training.groupby("point_id").size()
    return tuple(point for point in world.site.points if heard.get(point.id, 0) >= 8)


def _detected(world: World, limits: Bounds, lost: pd.DataFrame, rung: pd.DataFrame) -> pd.DataFrame:
    """For every rule and stretch of lost readings: whether it is longer than the bound, and when it was noticed."""
    place = {point.id: (row, point) for row, point in enumerate(world.site.points)}
    found = []
    by = {(rule, who): part for (rule, who), part in rung.groupby(["rule", "who"])}
    for point, part in lost.groupby("point_id"):
        row, facts = place[int(str(point))]
        for begin, end in merged(microseconds(part["start"]), microseconds(part["end"])):
            used = limits.of(row).used(np.array([[begin]]), np.array([[end]]))[0, 0]
            for rule in RULES:
                noticed = [
                    at
                    for who in (facts.id, facts.controller)
                    for since, at, until in _spans(by.get((rule, who)))
                    if until > begin and since < end
                ]
                delay = (max(min(noticed), begin) - begin) / 3.6e9 if noticed else np.nan
                found.append((rule, facts.quantity, used > 1, np.isfinite(used) and used > 0, delay))
    return pd.DataFrame(found, columns=["rule", "quantity", "long", "judged", "delay_hours"])


def _spans(part: pd.DataFrame | None) -> list[tuple[int, int, int]]:
    return [] if part is None else list(zip(part["since"], part["noticed"], part["until"], strict=True))


def merged(begins: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """Overlapping stretches joined."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(zip(begins.tolist(), ends.tolist(), strict=True)):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _verdicts(world: World, truth: pd.DataFrame, rung: pd.DataFrame) -> pd.DataFrame:
    """For every alarm whether readings were lost, and whether some were under way, in the silence that it is about."""
    place = {point.id: point for point in world.site.points}
    owner = truth["point_id"].map({point.id: point.controller for point in world.site.points})
    spans = {
        lost: {
            **dict(iter(part.groupby("point_id"))),
            **dict(iter(part[part["scope"] != "point"].groupby(owner))),
        }
        for lost, part in truth.groupby("lost")
    }
    rows = []
    for alarm in rung.itertuples():
        known = [_overlaps(spans.get(lost, {}).get(alarm.who), alarm.since, alarm.until) for lost in (True, False)]
        quantity = "controller" if isinstance(alarm.who, str) else place[alarm.who].quantity
        rows.append((alarm.rule, quantity, *known))
    return pd.DataFrame(rows, columns=["rule", "quantity", "lost", "under_way"])


def _overlaps(part: pd.DataFrame | None, since: int, until: int) -> bool:
    if part is None:
        return False
    return bool(((microseconds(part["start"]) < until) & (microseconds(part["end"]) > since)).any())


def _table(hits: pd.DataFrame, verdicts: pd.DataFrame, weeks: float) -> pd.DataFrame:
    rows = []
    for rule in RULES:
        for quantity in ["all", *sorted({*hits["quantity"], *verdicts["quantity"]})]:
            gap = hits[(hits["rule"] == rule) & ((quantity == "all") | (hits["quantity"] == quantity))]
            rang = verdicts[(verdicts["rule"] == rule) & ((quantity == "all") | (verdicts["quantity"] == quantity))]
            right = rang["lost"] | (rang["under_way"] & (rule == "ours_notice"))
            delays = gap.loc[gap["long"], "delay_hours"].dropna()
            rows.append(
                {
                    "rule": rule,
                    "quantity": quantity,
                    "gaps_over_bound": int(gap["long"].sum()),
                    "recall_over_bound": _share(gap.loc[gap["long"], "delay_hours"].notna()),
                    "gaps": int(gap["judged"].sum()),
                    "recall_all": _share(gap.loc[gap["judged"], "delay_hours"].notna()),
                    "alarms": len(rang),
                    "precision": _share(right),
                    "precision_lost_only": _share(rang["lost"]),
                    "false_per_week": float((~right).sum() / weeks),
                    "delay_p50_hours": _quantile(delays, 0.5),
                    "delay_p90_hours": _quantile(delays, 0.9),
                }
            )
    return pd.DataFrame(rows)


def _share(flags: pd.Series) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _quantile(values: pd.Series, share: float) -> float | None:
    return float(values.quantile(share)) if len(values) else None
