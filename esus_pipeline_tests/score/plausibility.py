"""Nonsense: spikes, stuck values and unit jumps put into temperatures and CO2 of the scored weeks, and who flags them.

An episode counts as found when any of its readings is flagged; precision is over readings: of those that were
flagged, how many had been tampered with. What was recorded counts as honest, whatever it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.quality import learn
from esus_pipeline.readings import Quality, clean
from esus_pipeline_tests.score.worlds import World

QUANTITIES = ("air_temperature", "co2")
SPIKES = {"air_temperature": (3.0, 20.0), "co2": (500.0, 4000.0)}
"""Least and greatest height of a spike, K and ppm, up or (temperature) down."""
STUCK_HOURS = (6.0, 30.0)
JUMP_HOURS = (2.0, 24.0)
UNITS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "air_temperature": (lambda c: c * 1.8 + 32, lambda c: c * 10, lambda c: c * 100),
    "co2": (lambda ppm: ppm * 10, lambda ppm: ppm * 100),
}
_OUTLIERS = {Quality.SPIKE, Quality.RATE, Quality.OUT_OF_RANGE, Quality.UNIT_JUMP, Quality.DISAGREES}
FLAGS = {"spike": _OUTLIERS, "stuck": {Quality.STUCK}, "unit_jump": _OUTLIERS}
"""Flags that say of a reading what is wrong with it, by fault."""
FAULTS = tuple(FLAGS)
_KEY = ["point_id", "timestamp"]


@dataclass
class _Struck:
    """Readings of one point with faults in them, and which episode each belongs to (-1 for none)."""

    value: np.ndarray
    episode: np.ndarray
    count: int = 0

    def mark(self, rows: np.ndarray) -> None:
        """These readings are one more episode."""
        self.episode[rows] = self.count
        self.count += 1


def _spikes(chance: np.random.Generator, quantity: str, stamps: np.ndarray, struck: _Struck) -> None:
    """Twelve lone readings, one in five of them followed by another such."""
    low, high = SPIKES[quantity]
    for _ in range(12):
        first = int(chance.integers(len(stamps) - 1))
        rows = np.arange(first, first + 1 + int(chance.uniform() < 0.2))
        if (struck.episode[max(first - 8, 0) : first + 10] >= 0).any():
            continue
        sign = -1 if quantity == "air_temperature" and chance.uniform() < 0.5 else 1
        struck.value[rows] += sign * low * (high / low) ** chance.uniform()
        struck.mark(rows)


def _held(chance: np.random.Generator, quantity: str, stamps: np.ndarray, struck: _Struck) -> None:
    """Three times the sensor goes on saying what it said, at the instants at which it would have spoken."""
    for rows in _stretches(chance, stamps, STUCK_HOURS, 3):
        struck.value[rows] = struck.value[rows[0]]
        struck.mark(rows)


def _jumps(chance: np.random.Generator, quantity: str, stamps: np.ndarray, struck: _Struck) -> None:
    """Three times the values come in another unit for a while."""
    for rows in _stretches(chance, stamps, JUMP_HOURS, 3):
        convert = UNITS[quantity][chance.integers(len(UNITS[quantity]))]
        struck.value[rows] = convert(struck.value[rows])
        struck.mark(rows)


def _stretches(
    chance: np.random.Generator, stamps: np.ndarray, hours: tuple[float, float], count: int
) -> list[np.ndarray]:
    """Rows of stretches that do not overlap and hold five readings at least, one in each part of the time."""
    found = []
    for edges in np.array_split(np.arange(len(stamps)), count):
        length = 3.6e9 * float(chance.uniform(*hours))
        start = int(chance.integers(edges[0] + 10, max(edges[-1] - 10, edges[0] + 11)))
        rows = np.flatnonzero((stamps >= stamps[start]) & (stamps < stamps[start] + length))
        rows = rows[rows <= edges[-1]]
        if len(rows) >= 5:
            found.append(rows)
    return found


_INJECT = {"spike": _spikes, "stuck": _held, "unit_jump": _jumps}


def score(world: World, seeds: range) -> pd.DataFrame:
    """One row per fault and quantity: recall of episodes, precision of flagged readings, false flags per week."""
    site, start = world.site, world.start
    rhythm = learn(site, clean(site, world.training, None, start), start)
    before = world.training[world.training["timestamp"] >= pd.Timestamp(start) - timedelta(days=2)]
    rows = []
    for seed in seeds:
        for fault in FAULTS:
            raw, episodes = _strike(world, fault, seed)
            series = clean(site, pd.concat([before, raw]), world.start, world.end, rhythm)
            rows += [{"fault": fault, **row} for row in _judged(series.merge(episodes, on=_KEY), FLAGS[fault])]
    table = pd.DataFrame(rows).groupby(["fault", "quantity"], sort=False).sum().reset_index()
    total = table.groupby("fault", sort=False).sum(numeric_only=True).reset_index().assign(quantity="all")
    table = pd.concat([table, total], ignore_index=True).sort_values(["fault", "quantity"], ignore_index=True)
    table["recall"] = table["found"] / table["episodes"]
    table["precision"] = table["right"] / table["flagged"]
    table["false_per_week"] = (table["flagged"] - table["right"]) / (len(seeds) * world.weeks)
    return table


def _strike(world: World, fault: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scored readings with one kind of fault, and the episode of each (point_id, timestamp, episode)."""
    chance = np.random.default_rng([seed, FAULTS.index(fault)])
    raw = world.scored.sort_values(["point_id", "timestamp"]).reset_index(drop=True)
    quantity = {point.id: point.quantity for point in world.site.points}
    parts = []
    for point, part in raw.groupby("point_id"):
        struck = _Struck(part["value"].to_numpy(copy=True), np.full(len(part), -1))
        name = quantity.get(int(str(point)), "")
        if name in QUANTITIES and len(part) > 100:
            stamps = part["timestamp"].astype("int64").to_numpy()
            _INJECT[fault](chance, name, stamps, struck)
        parts.append(part.assign(value=struck.value, episode=struck.episode))
    raw = pd.concat(parts, ignore_index=True)
    return raw[world.scored.columns], raw[["point_id", "timestamp", "episode"]]


def _judged(joined: pd.DataFrame, flags: set[Quality]) -> list[dict[str, object]]:
    judged = joined[joined["quantity"].isin(QUANTITIES)]
    rows = []
    for quantity, part in judged.groupby("quantity"):
        flagged = part["quality"].isin(flags)
        struck = part["episode"] >= 0
        episodes = part[struck].groupby(["point_id", "episode"])
        rows.append(
            {
                "quantity": quantity,
                "episodes": episodes.ngroups,
                "found": int(flagged[struck].groupby([part["point_id"], part["episode"]]).any().sum()),
                "flagged": int(flagged.sum()),
                "right": int((flagged & struck).sum()),
                "readings_struck": int(struck.sum()),
                "readings_found": int((flagged & struck).sum()),
            }
        )
    return rows
