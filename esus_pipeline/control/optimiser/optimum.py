"""The optimum of all rooms: computed once an hour, kept as a table, followed by the rule layer every 15 minutes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from esus_pipeline.control.groups import moving_groups
from esus_pipeline.control.inputs import Array, PlanInputs
from esus_pipeline.control.measured import plausible
from esus_pipeline.control.optimiser.outlook import Group, Unplanned, outlook
from esus_pipeline.control.optimiser.problem import GroupPlan, GroupProblem, Mask, ProblemError
from esus_pipeline.control.optimiser.solve import NoPlanError, plan_group
from esus_pipeline.control.optimiser.unshaded import Unshaded, within_reason
from esus_pipeline.frames import OPTIMAL_PLAN, TIMESTAMP

SENSIBLE = 60.0
"""degC; a model whose plan leaves this is not believed."""
HOURS = 48
"""Rows of an optimum per room; hours beyond what is known are missing."""


@dataclass(frozen=True)
class Optimum:
    """What the optimiser wants; R rooms in the order of the site, HOURS hours from `issued_at` on.

    NaN where a room could not be planned; `why` says why, by room.
    """

    issued_at: datetime
    closed: Array
    """(R, HOURS) shade position, 0 open or 1 closed."""
    air: Array
    """(R, HOURS) degC at the end of each hour."""
    mass: Array
    """(R, HOURS) degC of floors and walls at the end of each hour."""
    open_air: Array
    """(R, HOURS) degC with an open shade and no cooling, heated as far as needed."""
    heating: Array
    """(R, HOURS) W."""
    cooling: Array
    """(R, HOURS) W, positive."""
    disturbance: Array
    """(R, HOURS) W of heat that the model cannot explain."""
    why: dict[str, str]
    seconds: float = 0.0
    """Time that it took; the sum over groups where they were solved side by side."""

    def to_frame(self, rooms: Sequence[str]) -> pd.DataFrame:
        """Rows of frames.OPTIMAL_PLAN."""
        issued = round(self.issued_at.timestamp()) * 1_000_000
        hours = issued + np.arange(HOURS) * 3_600_000_000
        whys = np.array([self.why.get(room, "") for room in rooms], dtype=object)
        return OPTIMAL_PLAN.of(
            {
                "issued_at": pa.array(np.full(len(rooms) * HOURS, issued)).cast(TIMESTAMP),
                "room": np.repeat(np.array(rooms, dtype=object), HOURS),
                "valid_time": pa.array(np.tile(hours, len(rooms))).cast(TIMESTAMP),
                **{name: pa.array(getattr(self, own).ravel(), from_pandas=True) for name, own in _COLUMNS.items()},
                "failure": np.repeat(whys, HOURS),
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, rooms: Sequence[str]) -> "Optimum | None":
        """The newest optimum of the rows that covers all rooms; None where there is none."""
        if not len(frame):
            return None
        newest = frame[frame["issued_at"] == frame["issued_at"].max()]
        by_room = {str(room): rows.sort_values("valid_time") for room, rows in newest.groupby("room")}
        if any(len(by_room.get(room, ())) != HOURS for room in rooms):
            return None
        ordered = pd.concat([by_room[room] for room in rooms])
        columns = {
            attribute: ordered[name].to_numpy(dtype=float).reshape(len(rooms), HOURS)
            for name, attribute in _COLUMNS.items()
        }
        whys = {room: str(by_room[room]["failure"].iloc[0]) for room in rooms}
        return cls(
            issued_at=newest["issued_at"].iloc[0].to_pydatetime(),
            **columns,
            why={room: why for room, why in whys.items() if why},
        )


_COLUMNS = {
    "shade_position": "closed",
    "temperature": "air",
    "mass_temperature": "mass",
    "disturbance": "disturbance",
    "open_temperature": "open_air",
    "heating": "heating",
    "cooling": "cooling",
}
"""Column of frames.OPTIMAL_PLAN -> attribute."""

Solver = Callable[[GroupProblem], GroupPlan]


def optimise(inputs: PlanInputs, pool: ThreadPoolExecutor | None = None, solver: Solver = plan_group) -> Optimum:
    """The optimum from what is known at `inputs.as_of`; a room that cannot be planned says why. Never raises for data.

    Args:
        inputs: all that is known.
        pool: threads for groups side by side (the solver releases Python's lock); None solves them in turn.
        solver: how one group is solved.
    """
    site = inputs.site
    tasks = outlook(inputs, moving_groups(site))
    answers = list((pool.map if pool else map)(lambda task: _answer(task, solver), tasks))
    arrays = {name: np.full((len(site.rooms), HOURS), np.nan) for name in _COLUMNS.values()}
    why: dict[str, str] = {}
    for task, answer in zip(tasks, answers, strict=True):
        if isinstance(answer, str) or isinstance(task, Unplanned):
            why |= dict.fromkeys((site.room_ids[room] for room in task.members), str(answer))
            continue
        (plan, free), hours = answer, task.problem.steps
        arrays["closed"][task.members, :hours] = _through_wind(plan.closed, task.problem)
        for name in ("air", "mass", "heating", "cooling"):
            arrays[name][task.planned, :hours] = getattr(plan, name)
        arrays["disturbance"][task.planned, :hours] = task.problem.disturbance
        arrays["open_air"][task.planned, :hours] = plausible(free, -SENSIBLE, SENSIBLE)
    seconds = sum(answer[0].seconds for answer in answers if not isinstance(answer, str))
    return Optimum(issued_at=inputs.as_of.astimezone(UTC), **arrays, why=why, seconds=seconds)


def _through_wind(closed: Mask, problem: GroupProblem) -> Mask:
    """A shade that is down before a wind that is only forecast stays wanted down: the rule layer raises it in time."""
    wanted = closed.copy()
    before = problem.held.closed
    for hour in np.flatnonzero(problem.blocked & problem.may_close):
        wanted[hour] = wanted[hour - 1] if hour else before
    return wanted


def _answer(task: Group | Unplanned, solver: Solver) -> tuple[GroupPlan, Array] | str:
    """A group's plan and its `open_air`; or why there is none."""
    if isinstance(task, Unplanned):
        return task.why
    problem = task.problem
    try:
        with np.errstate(all="ignore"):
            unshaded = Unshaded.of(problem)
        plan = solver(within_reason(problem, unshaded))
    except (ProblemError, NoPlanError) as error:
        return str(error)
    except (ArithmeticError, np.linalg.LinAlgError):
        return "the room model is numerically absurd"
    if not (np.isfinite(plan.air).all() and np.abs(plan.air).max() < SENSIBLE):
        return "the room model predicts what no room can do"
    return plan, unshaded.air


def current(optimum: Optimum | None, as_of: datetime) -> bool:
    """Whether the optimum may still be followed at `as_of`: until its clock hour is over."""
    if optimum is None:
        return False
    hour = optimum.issued_at.replace(minute=0, second=0, microsecond=0)
    return optimum.issued_at <= as_of < hour + timedelta(hours=1)


def hours_ahead(optimum: Optimum, as_of: datetime, steps: int, length: timedelta) -> npt.NDArray[np.int64]:
    """(steps,) the optimum's hour that each step of that length from `as_of` on lies in; HOURS and more are beyond."""
    offset = (as_of - optimum.issued_at) / length
    per_hour = timedelta(hours=1) / length
    return ((offset + np.arange(steps)) // per_hour).astype(np.int64)
