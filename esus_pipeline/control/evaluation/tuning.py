"""How the tuned rule was tuned: `python -m esus_pipeline.control.evaluation.tuning PLANT` prints every step.

One number after the other, each to the value that costs least over four seasons, on seeds that no study uses. What
counts is Score.weighed, as for the optimiser: the two differ in what they know and not in what they want.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from esus_pipeline.control.evaluation.loop import close_loop
from esus_pipeline.control.evaluation.protocol import Plant
from esus_pipeline.control.evaluation.rules import Tuned, Tuning
from esus_pipeline.control.evaluation.score import score
from esus_pipeline.control.evaluation.study import make_plant

SEEDS = (101, 102)
STARTS = tuple(datetime(2025, month, 10, tzinfo=UTC) for month in (2, 4, 7, 9))
DAYS = 5
BEFORE = 7.0
"""Days under the tuned rule before each run, so that none begins in rooms that nobody keeps."""
DARKEST = 0.65
"""Greatest share of a season's working hours with the shade down: saving by darkness is no good rule for an office."""
VALUES: Mapping[str, Sequence[Any]] = {
    "warm_when_mild": (22.0, 23.0, 24.0, 25.0, 26.0),
    "warm_when_cold": (23.0, 24.0, 25.0, 26.0),
    "sun_above": (100.0, 150.0, 200.0, 250.0, 300.0),
    "mild": (8.0, 10.0, 12.0, 14.0),
    "dwell": tuple(timedelta(hours=hours) for hours in (1, 2, 3)),
    "precool": tuple(timedelta(hours=hours) for hours in (0, 1, 2, 4, 6, 8)),
    "rise": (0.7, 1.0, 1.5, 2.0, 3.0),
}


def tune(plant: Plant, start: Tuning, values: Mapping[str, Iterable[Any]] = VALUES) -> Tuning:
    """The best tuning that changing one number after the other finds."""
    best, least = start, worth(plant, start)
    print(f"{least:8.2f}  as it was")
    for name, candidates in values.items():
        for value in candidates:
            if value == getattr(best, name):
                continue
            tried = replace(best, **{name: value})
            cost = worth(plant, tried)
            print(f"{cost:8.2f}  {name} = {value}", flush=True)
            if cost < least:
                best, least = tried, cost
    return best


def worth(plant: Plant, tuning: Tuning) -> float:
    """Mean over seeds and seasons of everything that the optimiser has a price for; infinite where it is too dark."""
    weighed = []
    for start in STARTS:
        runs = (
            close_loop(plant, Tuned(plant.site, tuning), "tuned", start, DAYS, seed, teach=BEFORE) for seed in SEEDS
        )
        season = [score(run) for run in runs]
        if np.mean([each.shaded_share for each in season]) > DARKEST:
            return float("inf")
        weighed += [each.weighed for each in season]
    return float(np.mean(weighed))


if __name__ == "__main__":
    print(tune(make_plant(sys.argv[1] if len(sys.argv) > 1 else "rc"), Tuning()))
