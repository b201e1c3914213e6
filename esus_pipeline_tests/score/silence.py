"""Silence: replay the scored weeks window by window as they would have been lived, and hold the alarms to the truth.

Two levels of alarm are scored. A *notice* is what a person sees first: a point that is `late` by its own silence, a
controller that is late. It is right when readings were lost or still under way at that time. A *loss* is what the
ledger calls missing in the end, and the state `missing`: it is right only when readings were lost for good.

An alarm is held to what it says. One of a controller that names points which may be out alone is right for the
controller or for one of these; `precision_strict` and the false alarms a week count it for the controller only.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.instants import NEVER, Ints, instants, length, microseconds
from esus_pipeline.quality import (
    FINAL,
    Bounds,
    Heard,
    State,
    bounds,
    controllers,
    gaps,
    judge,
    learn,
    learn_lateness,
    suspects,
)
from esus_pipeline.readings import clean
from esus_pipeline.site import Point
from esus_pipeline_tests.score.inject import outages, strike
from esus_pipeline_tests.score.worlds import POLL, World, with_points

HOUR = timedelta(hours=1)
EARLIER = timedelta(days=3)
"""Readings so long before its first window are given to a judgement."""
RULES = ("ours_notice", "ours_loss", "one_hour", "wall_clock")


def learned(world: World) -> Bounds:
    """Bounds from the training part alone."""
    site, start = world.site, world.start
    series = clean(site, world.training, None, start)
    rhythm = learn(site, series, start)
    return bounds(site, rhythm, learn_lateness(site, world.training, start, bounds(site, rhythm)))


def lived(world: World, limits: Bounds, arrived: pd.DataFrame) -> pd.DataFrame:
    """frames.POINT_STATE of the scored weeks, every window judged from what its own poll and those before it brought.

    Windows between two deliveries of late readings know the same ones of them, and are judged at once.
    """
    raw = _by_time(world, arrived)
    asked = raw["received_at"] - POLL
    """End of the first window whose poll knew the reading."""
    late = asked > raw["timestamp"].dt.floor(STEP) + STEP
    start, end = pd.Timestamp(world.start), pd.Timestamp(world.end)
    first = asked[late].unique() - STEP
    parts = []
    for begin, stop in pairwise([start, *sorted(first[(first > start) & (first < end)]), end]):
        known = raw[((asked <= begin + STEP) | ~late) & (raw["timestamp"] < stop)]
        parts.append(judge(world.site, _heard(world, known, begin), limits, begin, stop))
    return pd.concat(parts, ignore_index=True)


def _by_time(world: World, arrived: pd.DataFrame) -> pd.DataFrame:
    """Readings of training and of the scored weeks, oldest first."""
    return pd.concat([world.training, arrived]).sort_values("timestamp", kind="stable")


def _heard(world: World, known: pd.DataFrame, begin: datetime) -> Heard:
    """Readings from some days before `begin` on, all of them good, and the newest one of each point before those."""
    place = int(known["timestamp"].searchsorted(pd.Timestamp(begin) - EARLIER))
    before = known.iloc[:place].groupby("point_id")["timestamp"].max()
    return Heard(world.site.point_ids, known.iloc[place:].assign(quality="good"), before)


def alarms(world: World, limits: Bounds, arrived: pd.DataFrame) -> pd.DataFrame:
    """Alarms of every rule: (rule, who, since, noticed, until, named); `who` is a point id, or a controller's name.

    As in the messages, a point is silent by itself only while its controller is not late; `named` are the points that
    an alarm of a controller names beside it when it is first told.
    """
    states = lived(world, limits, arrived)
    tardy = states["controller_late_minutes"] > states["controller_bound_minutes"]
    undelivered = tardy & (states["controller_late_minutes"] > FINAL / timedelta(minutes=1))
    missing = states["state"] == State.MISSING
    silent = missing | (states["state"] == State.LATE)
    windows, points, names = states["window"].unique(), world.site.point_ids, controllers(world.site)
    ends = microseconds(windows) + length(STEP)
    by_controller = [limits.member.tolist().index(place) for place in range(len(names))]

    def grid(column: pd.Series) -> np.ndarray:
        return column.to_numpy().reshape(len(windows), len(points))

    newest = _stamps(ends, grid(states["age_minutes"]))
    marks = _stamps(ends, grid(states["controller_late_minutes"]))[:, by_controller]
    judged = ~limits.silent[None, :]
    wall = limits.used(newest, np.broadcast_to(ends[:, None], newest.shape))
    hour = judged & (ends[:, None] - newest > length(HOUR))
    parts = [
        _episodes(ends, grid(silent & ~tardy), newest, points, "ours_notice"),
        _episodes(ends, grid(tardy)[:, by_controller], marks, names, "ours_notice"),
        _episodes(ends, grid(missing & ~tardy), newest, points, "ours_loss"),
        _episodes(ends, grid(undelivered)[:, by_controller], marks, names, "ours_loss"),
        _episodes(ends, hour, newest, points, "one_hour"),
        _episodes(ends, wall > 1, newest, points, "wall_clock"),
        _ledger(world, limits, arrived),
    ]
    rung = pd.concat([pd.DataFrame(part, columns=COLUMNS) for part in parts], ignore_index=True)
    first = instants(rung["noticed"].to_numpy()) - STEP
    told = dict(iter(states[states["window"].isin(first)].groupby(["window", "controller"])))
    return rung.assign(
        named=[
            suspects(world.site, told[at, who]) if isinstance(who, str) else ()
            for at, who in zip(first, rung["who"], strict=True)
        ]
    )


def _stamps(ends: Ints, age_minutes: np.ndarray) -> Ints:
    """Instants that were so long before the ends, NEVER where there was none; [windows, anything]."""
    known = np.nan_to_num(age_minutes) * length(timedelta(minutes=1))
    return np.where(np.isnan(age_minutes), NEVER, ends[:, None] - np.rint(known).astype(np.int64))


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
    heard = _heard(world, _by_time(world, arrived), world.start)
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
    """For every rule and stretch of lost readings: whether it is longer than the bound, and when it was noticed.

    Where the point alone lost them, an alarm of its controller has noticed it if it names the point.
    """
    place = {point.id: (row, point) for row, point in enumerate(world.site.points)}
    found = []
    by = {(rule, who): part for (rule, who), part in rung.groupby(["rule", "who"])}
    for point, part in lost.groupby("point_id"):
        row, facts = place[int(str(point))]
        for begin, end in merged(microseconds(part["start"]), microseconds(part["end"])):
            used = limits.of(row).used(np.array([[begin]]), np.array([[end]]))[0, 0]
            alone = not _overlaps(part[part["scope"] != "point"], begin, end)
            for rule in RULES:
                noticed = [
                    alarm.noticed
                    for who in (facts.id, facts.controller)
                    for alarm in by.get((rule, who), rung[:0]).itertuples()
                    if alarm.until > begin
                    and alarm.since < end
                    and (who == facts.id or not alone or facts.id in alarm.named)
                ]
                delay = (max(min(noticed), begin) - begin) / 3.6e9 if noticed else np.nan
                found.append((rule, facts.quantity, used > 1, np.isfinite(used) and used > 0, delay))
    return pd.DataFrame(found, columns=["rule", "quantity", "long", "judged", "delay_hours"])


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
    """For every alarm whether readings were lost, and whether some were under way, in the silence that it is about.

    `_said` counts as well those of the points that an alarm of a controller names, until it named them.
    """
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
        said = [
            right or any(_overlaps(spans.get(lost, {}).get(point), alarm.since, alarm.noticed) for point in alarm.named)
            for lost, right in zip((True, False), known, strict=True)
        ]
        quantity = "controller" if isinstance(alarm.who, str) else place[alarm.who].quantity
        rows.append((alarm.rule, quantity, *known, *said))
    return pd.DataFrame(rows, columns=["rule", "quantity", "lost", "under_way", "lost_said", "under_way_said"])


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
            provisional = rule == "ours_notice"
            said = rang["lost_said"] | (rang["under_way_said"] & provisional)
            strict = rang["lost"] | (rang["under_way"] & provisional)
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
                    "precision": _share(said),
                    "precision_strict": _share(strict),
                    "precision_lost_only": _share(rang["lost"]),
                    "false_per_week": float((~strict).sum() / weeks),
                    "delay_p50_hours": _quantile(delays, 0.5),
                    "delay_p90_hours": _quantile(delays, 0.9),
                }
            )
    return pd.DataFrame(rows)


def _share(flags: pd.Series) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _quantile(values: pd.Series, share: float) -> float | None:
    return float(values.quantile(share)) if len(values) else None
