"""A group's problem as one mixed-integer linear program, assembled without a loop over hours.

    min  heat and cooling energy + discomfort + margin + view + gloom + moves
    s.t. x[k+1] = A[k] x[k] + B[k] u[k]              room model, exact hourly discretisation
         low - short <= T_air <= high + over
         d[k+1] = A[k] d[k] + cooling[k]              what cooling has taken away, so that T_air + d is without it
         T_air + d_air <= high - margin + inside
         s[k] - s[k-1] = lower[k] - raise[k]          s is 0 open, 1 closed
         sum of lower over the dwell time <= s[k]     (Rajan and Takriti 2005, minimum up and down times: the
         sum of raise over the dwell time <= 1 - s[k]  facets of this polytope, which keeps the LP tight);
                                                       wind raises a shade whenever it comes
         sum of lower over a day <= LOWERINGS, and moves left today
         raise[k] = 0 where people would be dazzled within SOON
         sum of s over a day's hours with a view - gloom <= half of them

Shades enter as binary times known irradiance, so the program stays linear. Powers are kW, energies kWh.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.model.room_model import Array, discretise, pushed
from esus_pipeline.control.optimiser.problem import HOUR, GroupProblem, Mask

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Ints = npt.NDArray[np.int64]

LOWERINGS = 2
"""Times that a shade is planned to be lowered in a day; the rule layer's third one is for what was not planned."""
DIM_SHARE = 0.5
"""Share of a day's hours with a view that may be lost at the plain price."""
GLOOM = 3.0
"""What a further hour costs, in plain ones."""
DAZZLED = 0.5
"""Chance of somebody in the sun from which a shade is not raised shortly before it."""
SOON = 2
"""Hours that are shortly before it."""
UNSEEN = 0.4
"""Hours of glare until the rule layer has lowered the shade: measured over one quarter, obeyed from the next on."""
ROOM_VARIABLES = ("air", "mass", "heating", "cooling", "short", "inside", "over", "less_air", "less_mass")
"""Per room and step, after the group's `closed`, `lower`, `raise`, and `gloom` by day."""


@dataclass(frozen=True)
class Program:
    """Arguments of scipy.optimize.milp, and where the variables are."""

    cost: Array
    matrix: "csc_array"
    row_low: Array
    row_high: Array
    low: Array
    high: Array
    integrality: Ints


@dataclass(frozen=True)
class Index:
    """Columns of the variables."""

    closed: Ints
    lower: Ints
    lift: Ints
    gloom: Ints
    """(D,) by day."""
    room: dict[str, Ints]
    """(R, H) each."""
    size: int


@lru_cache(maxsize=32)
def index(rooms: int, steps: int, days: int) -> Index:
    """Columns for R rooms, H steps and D days."""
    group, first = np.arange(3 * steps).reshape(3, steps), 3 * steps + days
    per_room = first + np.arange(rooms * len(ROOM_VARIABLES) * steps).reshape(rooms, len(ROOM_VARIABLES), steps)
    return Index(
        closed=group[0],
        lower=group[1],
        lift=group[2],
        gloom=np.arange(3 * steps, first),
        room={name: per_room[:, place] for place, name in enumerate(ROOM_VARIABLES)},
        size=first + per_room.size,
    )


def index_of(problem: GroupProblem) -> Index:
    """Columns of a problem."""
    rooms, steps = problem.gain_open.shape
    return index(rooms, steps, len(np.unique(problem.day)))


@dataclass(frozen=True)
class Dynamics:
    """x[k+1] = keep[k] x[k] + heat[k] (kW) + shade[k] s + rest[k]; (R, H, 2, 2) and (R, H, 2)."""

    keep: Array
    heat: Array
    shade: Array
    rest: Array


def dynamics(problem: GroupProblem) -> Dynamics:
    """The rooms' models with everything that is known of the coming hours put in."""
    parts, spared = [], _spared(problem)
    for room, model in enumerate(problem.models):
        fresh = model.fresh_air_conductance(problem.people[room])
        keep, drive = discretise(model, HOUR, fresh)
        opened = model.k_open * problem.gain_open[room]
        less_sun = model.k_shaded * problem.gain_shaded[room] - opened
        opened, less_sun = opened + spared * less_sun, (1 - spared) * less_sun
        other = fresh * problem.supply_air + problem.disturbance[room]
        rest = pushed(drive, problem.outdoor, other, opened, problem.people[room])
        parts.append((keep, 1000 * drive[..., 1], drive[..., 2] * less_sun[:, None], rest))
    keep, heat, shade, rest = (np.stack(part) for part in zip(*parts, strict=True))
    return Dynamics(keep, heat, shade, rest)


def _spared(problem: GroupProblem) -> Array:
    """(H,) share of the sun that people's eyes keep out of an open shade, later for those who are new to it."""
    new = np.diff(problem.dazzled, prepend=float(problem.held.closed))
    return problem.dazzled - UNSEEN * np.maximum(new, 0.0)


def assemble(problem: GroupProblem) -> Program:
    """The program of a problem. Its LP relaxation gives a lower bound of the cost."""
    from scipy.sparse import coo_array, csc_array

    at = index_of(problem)
    blocks = [*_room_rows(problem, at), *_shade_rows(problem, at)]
    heights = np.cumsum([0, *(len(block.low) for block in blocks)])
    rows = np.concatenate([block.rows + top for block, top in zip(blocks, heights, strict=False)])
    columns = np.concatenate([block.columns for block in blocks])
    values = np.concatenate([block.values for block in blocks])
    low, high = _bounds(problem, at)
    integrality = np.zeros(at.size, dtype=np.int64)
    integrality[[at.closed, at.lower, at.lift]] = 1
    return Program(
        cost=_cost(problem, at),
        matrix=csc_array(coo_array((values, (rows, columns)), shape=(heights[-1], at.size))),
        row_low=np.concatenate([block.low for block in blocks]),
        row_high=np.concatenate([block.high for block in blocks]),
        low=low,
        high=high,
        integrality=integrality,
    )


@dataclass(frozen=True)
class _Rows:
    rows: Ints
    columns: Ints
    values: Array
    low: Array
    high: Array


def _rows(terms: list[tuple[Ints, Ints, Array]], low: Array, high: Array) -> _Rows:
    """Rows from (row, column, value) triples of equal shape each."""
    rows, columns, values = ([np.ravel(part) for part in parts] for parts in zip(*terms, strict=True))
    return _Rows(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), np.ravel(low), np.ravel(high))


def _room_rows(problem: GroupProblem, at: Index) -> list[_Rows]:
    rooms, steps = problem.gain_open.shape
    moves = dynamics(problem)
    state = np.stack([at.room["air"], at.room["mass"]], axis=-1)
    row = np.arange(rooms * steps * 2).reshape(rooms, steps, 2)
    before = np.broadcast_to(state[:, :-1, None, :], (rooms, steps - 1, 2, 2))
    flow = np.broadcast_to(row[:, 1:, :, None], (rooms, steps - 1, 2, 2))
    wide = (rooms, steps, 2)

    def spread(columns: Ints) -> Ints:
        return np.broadcast_to(columns[..., None], wide)

    known = moves.rest.copy()
    start = np.stack([problem.air, problem.mass], axis=-1)
    known[:, 0] += np.einsum("rij,rj->ri", moves.keep[:, 0], start)
    balance = _rows(
        [
            (row, state, np.ones(wide)),
            (flow, before, -moves.keep[:, 1:]),
            (row, spread(at.room["heating"]), -moves.heat),
            (row, spread(at.room["cooling"]), moves.heat),
            (row, spread(np.broadcast_to(at.closed, (rooms, steps))), -moves.shade),
        ],
        known,
        known,
    )
    one, line = np.ones((rooms, steps)), np.arange(rooms * steps).reshape(rooms, steps)
    warm = _rows(
        [(line, at.room["air"], one), (line, at.room["short"], one)],
        one * problem.low,
        one * np.inf,
    )
    cool = _rows(
        [(line, at.room["air"], one), (line, at.room["over"], -one)],
        one * -np.inf,
        one * problem.high,
    )
    less = np.stack([at.room["less_air"], at.room["less_mass"]], axis=-1)
    less_before = np.broadcast_to(less[:, :-1, None, :], before.shape)
    taken = _rows(
        [
            (row, less, np.ones(wide)),
            (flow, less_before, -moves.keep[:, 1:]),
            (row, spread(at.room["cooling"]), -moves.heat),
        ],
        np.zeros(wide),
        np.zeros(wide),
    )
    spare = _rows(
        [(line, at.room["air"], one), (line, at.room["less_air"], one), (line, at.room["inside"], -one)],
        one * -np.inf,
        one * (problem.high - problem.margin),
    )
    return [balance, warm, cool, taken, spare]


def _shade_rows(problem: GroupProblem, at: Index) -> list[_Rows]:
    steps = problem.steps
    line, one = np.arange(steps), np.ones(steps)
    begin = np.zeros(steps)
    begin[0] = float(problem.held.closed)
    follow = _rows(
        [
            (line, at.closed, one),
            (line[1:], at.closed[:-1], -one[1:]),
            (line, at.lower, -one),
            (line, at.lift, one),
        ],
        begin,
        begin,
    )
    near = [(line[lag:], line[: steps - lag], one[lag:]) for lag in range(problem.dwell)]
    stay_down = _rows(
        [*((row, at.lower[past], value) for row, past, value in near), (line, at.closed, -one)],
        one * -np.inf,
        np.where(problem.blocked, np.inf, 0.0),
    )
    stay_up = _rows([*((row, at.lift[past], value) for row, past, value in near), (line, at.closed, one)], -one, one)
    days, place = np.unique(problem.day, return_inverse=True)
    left = np.full(len(days), LOWERINGS, dtype=float)
    left[0] = max(0, LOWERINGS - (problem.held.moves_today + problem.held.closed) // 2)
    unlimited = np.full(len(days), -np.inf)
    per_day = _rows([(place, at.lower, one)], unlimited, left)
    seen = problem.viewed.astype(float)
    gloom = _rows(
        [(place, at.closed, seen), (np.arange(len(days)), at.gloom, -np.ones(len(days)))],
        unlimited,
        np.asarray(DIM_SHARE * np.bincount(place, seen), dtype=float),
    )
    return [follow, stay_down, stay_up, per_day, gloom]


def _bounds(problem: GroupProblem, at: Index) -> tuple[Array, Array]:
    low, high = np.zeros(at.size), np.full(at.size, np.inf)
    for name in ("air", "mass"):
        low[at.room[name]] = -np.inf
    high[at.closed] = np.where(problem.may_close & ~problem.blocked, 1.0, 0.0)
    high[at.lower] = high[at.lift] = 1.0
    high[at.lift[_into_glare(problem)]] = 0.0
    wait = max(0, problem.dwell - problem.held.steps_since_move)
    if not problem.blocked[:wait].any():
        low[at.closed[:wait]] = high[at.closed[:wait]] = float(problem.held.closed)
    high[at.room["heating"]] = problem.heating_limit / 1000
    high[at.room["cooling"]] = problem.cooling_limit / 1000
    return low, high


def _into_glare(problem: GroupProblem) -> Mask:
    """(H,) where a shade that may stay down is not raised, because it would have to come down again for people.

    Not where sun that is kept out has a price: each hour of it is worth the move.
    """
    dazzling = np.pad(problem.dazzled > DAZZLED, (0, SOON - 1))
    soon = np.lib.stride_tricks.sliding_window_view(dazzling, SOON).any(axis=1)
    worth = np.broadcast_to(problem.prices.sun, problem.gain_open.shape).any(axis=0)
    return np.asarray(soon & problem.may_close & ~problem.blocked & ~worth)


def _kept_out(problem: GroupProblem) -> Array:
    """(R, H) kWh of sun in an hour that stay outside a closed shade."""
    rooms = zip(problem.models, problem.gain_open, problem.gain_shaded, strict=True)
    return np.array([room.k_open * opened - room.k_shaded * shaded for room, opened, shaded in rooms]) / 1000


def _cost(problem: GroupProblem, at: Index) -> Array:
    prices, rooms = problem.prices, len(problem.models)
    cost = np.zeros(at.size)
    cost[at.closed] = rooms * prices.view * problem.viewed + (prices.sun * _kept_out(problem)).sum(axis=0)
    cost[at.gloom] = rooms * prices.view * (GLOOM - 1)
    cost[at.lower] = cost[at.lift] = prices.move * rooms
    cost[at.room["heating"]] = prices.heat
    cost[at.room["cooling"]] = np.maximum(prices.cooling, 0.0)
    cost[at.room["short"]] = cost[at.room["over"]] = prices.comfort
    cost[at.room["inside"]] = prices.margin
    return cost
