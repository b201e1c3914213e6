"""Plans: time for six rooms, for a thousand, and how near the optimum comes to its LP bound."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd

from esus_pipeline.control import PlanInputs, decide, optimise
from esus_pipeline.control.groups import shade_groups
from esus_pipeline.control.optimiser import lower_bound, plan_group
from esus_pipeline.control.optimiser.outlook import Group, outlook
from esus_pipeline.site import Site, load_site
from esus_pipeline_tests.control import cases

DAYS = (
    ("2026-01-15T05:00", 1.0, 0.0, 20.0),
    ("2026-02-16T04:00", 0.6, 2.0, 20.5),
    ("2026-03-17T05:00", 0.8, 5.0, 21.0),
    ("2026-04-15T04:00", 1.0, 10.0, 21.5),
    ("2026-05-12T04:00", 0.7, 14.0, 22.0),
    ("2026-06-16T04:00", 1.0, 18.0, 23.0),
    ("2026-07-14T10:00", 0.5, 21.0, 24.0),
    ("2026-09-15T04:00", 0.9, 14.0, 22.5),
    ("2026-10-13T05:00", 0.8, 9.0, 21.0),
    ("2026-12-08T05:00", 0.4, 1.0, 20.0),
)
"""Start, clearness of the sky, mean outdoor temperature, room temperature: the benchmark set."""
MANY = 1000


def plans() -> Iterator[dict[str, object]]:
    """Three rows of the bench table; `other` is the limit that the row must stay under."""
    site = load_site("tmv23")
    six = [cases.inputs(site, cases.at(day), sky, mean, temperature=air) for day, sky, mean, air in DAYS]
    with ThreadPoolExecutor() as pool:
        took = [_seconds(lambda inputs=inputs: decide(inputs, optimise(inputs, pool))) for inputs in six * 3]
        yield _row(
            "p1", "whole plan of six rooms, optimum and rule layer, 95th percentile / limit", _p95(took), 2.0, "s"
        )
        large = _many_rooms(six[5])
        yield _row(
            "p2",
            f"whole plan of {MANY} rooms in groups of three / limit",
            _seconds(lambda: decide(large, optimise(large, pool))),
            100.0,
            "s",
        )
    proven, relaxed = _gaps(six)
    yield _row("p3", "mean gap of the plans to their proven bound on the benchmark set / limit", proven, 1.0, "%")
    yield _row(
        "p4", "cost of the benchmark set over that of its LP relaxation (shades anywhere) / limit", relaxed, 1.0, "%"
    )


def _gaps(inputs: list[PlanInputs]) -> tuple[float, float]:
    """Percent over the bound that HiGHS proves, and over the LP relaxation; summed over the set."""
    cost = bound = relaxation = 0.0
    for each in inputs:
        for task in outlook(each, shade_groups(each.site)):
            if isinstance(task, Group):
                plan = plan_group(replace(task.problem, time_limit=60.0))
                cost, bound = cost + plan.cost, bound + plan.bound
                relaxation += lower_bound(task.problem)
    return 100 * (cost - bound) / bound, 100 * (cost - relaxation) / relaxation


def _many_rooms(inputs: PlanInputs) -> PlanInputs:
    """The same building with MANY rooms: copies of the south and east rooms, three on each output."""
    names = [f"{room.id}-{copy}" for copy in range(MANY // 6 + 1) for room in inputs.site.rooms][:MANY]
    origin = {name: name.rsplit("-", 1)[0] for name in names}
    rooms = tuple(inputs.site.room(origin[name]).model_copy(update={"id": name}) for name in names)
    group = next(iter(inputs.site.shade_groups.values()))
    groups = {
        f"g{first}": group.model_copy(update={"rooms": tuple(names[first : first + 3])}) for first in range(0, MANY, 3)
    }
    site: Site = inputs.site.model_copy(update={"rooms": rooms, "shade_groups": groups})
    vars(site).pop("room_ids", None)  # the copy carries the cached ids of the original
    by_room = dict(iter(inputs.gains.groupby("room"))) if inputs.gains is not None else {}
    measured = inputs.rooms.set_index("room") if inputs.rooms is not None else None
    assert measured is not None
    frame = measured.loc[[*origin.values(), "building"]].set_axis([*names, "building"])
    gains = pd.concat([by_room[origin[name]].assign(room=name) for name in names])
    return replace(inputs, site=site, gains=gains, rooms=frame)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95))


def _row(id_: str, what: str, ours: float, limit: float, unit: str) -> dict[str, object]:
    return {
        "id": id_, "what": what, "ours": round(ours, 3), "other": limit, "ratio": round(limit / max(ours, 1e-9), 2),
        "unit": unit, "peak_mb": 0,
    }  # fmt: skip
