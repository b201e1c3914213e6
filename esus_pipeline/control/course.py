"""The plans of a range of days, each from what was known when it was issued, stored day by day.

A plan depends on those of the 24 hours before it, because a shade keeps still that was just moved. A long range is
planned in parts all the same, each in a process of its own, for planning is Python and runs on one core a process: a
part first lives through the day before it, and so finds the shades as the part before leaves them. Where it does not,
which is looked at, it is planned again from where the part before ended; so the plans are those of one part.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from multiprocessing import connection, get_context, parent_process

import pandas as pd
import pyarrow as pa

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.now import Now, RoomsNow, models_in_force
from esus_pipeline.control.model.occupancy_table import expected_by_room, occupancy_in_force
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.optimiser import Optimum
from esus_pipeline.control.plan import COMMAND, Plan
from esus_pipeline.control.planner import Planner
from esus_pipeline.control.refusal import refused_plans
from esus_pipeline.control.stored import Stored, read_stored
from esus_pipeline.control.trace import trace_frame
from esus_pipeline.frames import DECISION_TRACE, OCCUPANCY_FORECAST, OPTIMAL_PLAN, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.site import Site

COMMAND_MEMORY = timedelta(hours=24)
"""How far back earlier plans are looked at to know what the shades were told."""

LEAST_DAYS = 3
"""Days of a part; with fewer, the day that a part lives through before costs more than it gains."""

MOST_PARTS = 4
"""Each takes the memory of a process, some 300 MB."""

Day = Sequence[datetime]
"""The instants of a UTC day, in order and without gaps, that plans are issued at."""


@dataclass(frozen=True)
class Standing:
    """All that a plan takes from those before it."""

    commanded: pd.DataFrame
    """What the rooms were told in the last COMMAND_MEMORY: COMMAND of the rows that counted from `issued_at` on."""
    optimum: Optimum | None = None
    models: Mapping[str, RoomModel] | None = None
    """Those that the optimum was made with."""
    people: pd.DataFrame | None = None
    """Those that it expected, as in PlanInputs."""

    def same(self, other: "Standing", rooms: Sequence[str]) -> bool:
        """Whether every later plan is the same after both."""
        if self.optimum is None or other.optimum is None:
            return self.optimum is other.optimum and self.commanded.equals(other.commanded)
        return (
            self.commanded.equals(other.commanded)
            and self.optimum.to_frame(rooms).equals(other.optimum.to_frame(rooms))
            and self.models == other.models
            and _equal(self.people, other.people)
        )


@dataclass(frozen=True)
class Course:
    """What became of the plans of a range."""

    began: Standing
    ended: Standing
    rows: int
    optima: int
    solver_seconds: float
    refused: Mapping[datetime, str]
    """Plans that were not stored, by when they were issued, and why."""
    last: Plan

    def then(self, later: "Course") -> "Course":
        """Both, one after the other."""
        return Course(
            self.began,
            later.ended,
            self.rows + later.rows,
            self.optima + later.optima,
            self.solver_seconds + later.solver_seconds,
            {**self.refused, **later.refused},
            later.last,
        )


def plan_days(site: Site, archive: Archive, days: Sequence[Day]) -> Course:
    """Plan and store every day of a range, oldest first or in parts side by side."""
    first, *others = parts(days, min(MOST_PARTS, os.cpu_count() or 1))
    if not others:
        return _planned(site, archive, first, stored_standing(site, archive, first[0][0]))
    with ProcessPoolExecutor(len(others), get_context("spawn"), initializer=_end_with_parent) as pool:
        begun = [pool.submit(_planned_after_a_day, site, archive, part) for part in others]
        course = _planned(site, archive, first, stored_standing(site, archive, first[0][0]))
        for part, each in zip(others, begun, strict=True):
            found = each.result()
            if not found.began.same(course.ended, site.room_ids):
                found = _planned(site, archive, part, course.ended)
            course = course.then(found)
    return course


def parts(days: Sequence[Day], most: int) -> list[Sequence[Day]]:
    """The days in at most so many parts in a row; the first is a day longer, for the others live through one more."""
    count = max(1, min(most, len(days) // LEAST_DAYS))
    each = -(-(len(days) + count - 1) // count)
    cuts = [0, *(each + number * (each - 1) for number in range(count - 1)), len(days)]
    return [days[start:end] for start, end in pairwise(cuts) if start < end]


def stored_standing(site: Site, archive: Archive, first: datetime) -> Standing:
    """After the stored plans before `first`; their optimum only where a plan of that clock hour may follow it."""
    optimum = Optimum.from_frame(archive.read(OPTIMAL_PLAN, first.replace(minute=0), first), site.room_ids)
    commanded = commands_before(archive, first)
    if optimum is None:
        return Standing(commanded)
    models = models_in_force(archive, site, optimum.issued_at)
    return Standing(commanded, optimum, models, expected_by_room(occupancy_in_force(archive, optimum.issued_at)))


def commands_before(archive: Archive, first: datetime) -> pd.DataFrame:
    """What the plans before `first` told the rooms at the moment that they were issued."""
    plans = archive.read(SHADE_SETPOINT_SCHEDULE, first - COMMAND_MEMORY, first, columns=COMMAND)
    return plans[plans["valid_time"] == plans["issued_at"]].reset_index(drop=True)


def _planned(site: Site, archive: Archive, days: Sequence[Day], began: Standing) -> Course:
    course, standing = None, began
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for day in days:
            found = _planned_day(site, archive, day, standing, pool)
            course = course.then(found) if course else found
            standing = course.ended
    if course is None:
        raise ValueError("there is no day to plan")
    return course


def _planned_after_a_day(site: Site, archive: Archive, days: Sequence[Day]) -> Course:
    """A part that finds out for itself how the shades stand when it begins."""
    before = [days[0][0] - step * STEP for step in range(timedelta(days=1) // STEP, 0, -1)]
    nothing = Standing(pd.DataFrame({name: SHADE_SETPOINT_SCHEDULE.empty()[name] for name in COMMAND}))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        _, began, _ = _made(site, archive, before, nothing, pool)
    return _planned(site, archive, days, began)


def _planned_day(site: Site, archive: Archive, day: Day, began: Standing, pool: ThreadPoolExecutor) -> Course:
    stored, ended, made = _made(site, archive, day, began, pool)
    plans = pa.concat_tables([step.plan.table for step in made]).to_pandas()
    refused = refused_plans(site, archive, plans, stored.issues, day)
    _store(site, archive, day, made, plans[~plans["issued_at"].isin(list(refused))])
    left = ended.commanded[~ended.commanded["issued_at"].isin(list(refused))]
    optima = [step.optimum for step in made if step.optimum is not None]
    return Course(
        began=began,
        ended=replace(ended, commanded=left.reset_index(drop=True)),
        rows=len(plans),
        optima=len(optima),
        solver_seconds=sum(optimum.seconds for optimum in optima),
        refused=refused,
        last=made[-1].plan,
    )


@dataclass(frozen=True)
class Made:
    """One window's plan, and where a new optimum was made for it, that and the people it was made with."""

    plan: Plan
    optimum: Optimum | None
    people: pd.DataFrame | None
    """Rows of frames.OCCUPANCY_FORECAST."""


def _made(
    site: Site, archive: Archive, day: Day, began: Standing, pool: ThreadPoolExecutor
) -> tuple[Stored, Standing, list[Made]]:
    """The day's plans, none stored, with what they were made from and what the next ones take from them."""
    stored, rooms = read_stored(site, archive, day), RoomsNow(site, archive, day[0] - STEP)
    planner = Planner(began.optimum, pool, began.models, began.people)
    commanded, made = began.commanded, []
    for as_of in day:
        inputs, told = stored.inputs(as_of, commanded), Now()
        if planner.due(inputs):
            told = rooms.at(as_of)
            inputs = stored.inputs(as_of, commanded, told)
        plan = planner.plan(inputs)
        kept = pd.DatetimeIndex(commanded["valid_time"]).searchsorted(pd.Timestamp(as_of - COMMAND_MEMORY), "right")
        commanded = pd.concat([commanded.iloc[kept:], plan.commands], ignore_index=True)
        made.append(Made(plan, planner.optimum if planner.renewed else None, told.people))
    return stored, Standing(commanded, planner.optimum, planner.models, planner.people), made


def _store(site: Site, archive: Archive, day: Day, made: list[Made], good: pd.DataFrame) -> None:
    """The day's good plans, and what belongs to all of them, in place of what was there of these windows."""
    optima = [step.optimum.to_frame(site.room_ids) for step in made if step.optimum is not None]
    people = [step.people for step in made if step.people is not None]
    tables = {
        OCCUPANCY_FORECAST: pd.concat(people, ignore_index=True) if people else OCCUPANCY_FORECAST.empty(),
        OPTIMAL_PLAN: pd.concat(optima, ignore_index=True) if optima else OPTIMAL_PLAN.empty(),
        DECISION_TRACE: trace_frame([row for step in made for row in step.plan.trace]),
        SHADE_SETPOINT_SCHEDULE: good,
    }
    for frame, rows in tables.items():
        archive.replace(frame, rows, day[0], day[-1] + STEP)


def _equal(one: pd.DataFrame | None, other: pd.DataFrame | None) -> bool:
    return one is other if one is None or other is None else one.equals(other)


def _end_with_parent() -> None:
    """A killed run leaves no process behind."""
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: connection.wait([sentinel]) and os._exit(1), daemon=True).start()
