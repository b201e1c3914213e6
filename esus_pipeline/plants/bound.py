"""Rooms that are linear in what is done to them, and the least that any controller could have paid in them.

Belongs here: the plant's equations as arrays and the linear program over them. Does not belong here: thermostats and
sensors (see rc).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import coo_array

from esus_pipeline.control.model.room_model import RoomModel, discretise
from esus_pipeline.plants.weather import STEP_S
from esus_pipeline.plants.world import World
from esus_pipeline.simulator.noise import HOUR, Floats

Ints = npt.NDArray[np.int64]

DISCOMFORT_PRICE = 50.0
"""Per K h outside the band: dear enough that the bound buys no comfort away, and always has an answer."""

_DEAREST, _SEARCH = 1.0, 7
"""Currency per shaded room hour, and per move, up to which limits on them are priced, and halvings of that range."""


@dataclass(frozen=True)
class LinearRooms:
    """x[k+1] = keep[k] x[k] + open[k] (1 - s) + shaded[k] s + per_watt[k] Q + rest[k]; arrays (R, N, ...)."""

    models: list[RoomModel]
    world: World
    keep: Floats
    open: Floats
    shaded: Floats
    per_watt: Floats
    rest: Floats
    cooling_power: Floats
    """(R,) W."""

    @classmethod
    def of(
        cls,
        models: list[RoomModel],
        world: World,
        disturbance: Floats,
        supply_air: Floats,
        around: Floats,
        cooling: Floats,
    ) -> "LinearRooms":
        """The rooms of `models` in a world.

        With `disturbance` (R, N) W to the air, and `supply_air` and the rooms `around` (N,) degC.
        """
        parts = [_room(model, world, row, disturbance[row], supply_air, around) for row, model in enumerate(models)]
        keep, opened, shaded, per_watt, rest = (np.stack(part) for part in zip(*parts, strict=True))
        return cls(models, world, keep, opened, shaded, per_watt, rest, cooling)

    @property
    def heating_power(self) -> Floats:
        """(R,) W."""
        return np.array([model.heating_power for model in self.models])

    def free(self, state: Floats, shade: Floats, k: int) -> Floats:
        """(R, 2) states after step k without heating and cooling."""
        sun = self.open[:, k] * (1 - shade[:, None]) + self.shaded[:, k] * shade[:, None]
        return np.asarray(np.einsum("rij,rj->ri", self.keep[:, k], state) + sun + self.rest[:, k])


def _room(
    model: RoomModel, world: World, row: int, disturbance: Floats, supply_air: Floats, around: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    fresh = model.fresh_air_conductance(world.people[row]) * world.fan
    keep, drive = discretise(model, STEP_S, fresh)
    known = np.stack(
        [world.series("temp_air"), fresh * supply_air + disturbance, world.people[row], np.ones(len(fresh))], axis=-1
    )
    rest = np.einsum("nij,nj->ni", drive[..., [0, 1, 3, 4]], known)
    warmer = discretise(replace(model, building_temperature=model.building_temperature + 1), STEP_S, fresh)[1]
    rest = rest + (warmer - drive)[..., 4] * (around - model.building_temperature)[:, None]
    opened = drive[..., 2] * (model.k_open * world.gain_open[row])[:, None]
    shaded = drive[..., 2] * (model.k_shaded * world.gain_shaded[row])[:, None]
    return keep, opened, shaded, drive[..., 1], rest


@dataclass(frozen=True)
class Conditions:
    """What every controller has to keep, so that the bound keeps it as well; (R, N) or (N,), N steps."""

    low: Floats
    high: Floats
    """(N,) degC, mean of the air over each step, as it is scored."""
    blocked: npt.NDArray[np.bool_]
    """(N,) wind: the shades are up."""
    glare: npt.NDArray[np.bool_]
    """(R, N) somebody would be dazzled: the shade is down."""
    working: npt.NDArray[np.bool_]
    """(N,)."""
    shaded_share: float
    """Greatest share of the working hours with the shade down, all rooms together; glare may take more."""
    moves: float = np.inf
    """Most moves of a shade per room, all rooms together on average; wind and glare may take more."""
    dwell: int = 1
    """Steps that a shade stays down at least, wind apart."""


@dataclass(frozen=True)
class Weights:
    """What else has a price besides energy, in the currency of the energy prices."""

    comfort: float
    """Per room and K h outside the band."""
    view: float
    """Per room and working hour with the shade down."""
    move: float
    """Per room and move of a shade."""


def least_cost(
    rooms: LinearRooms,
    state: Floats,
    groups: list[list[int]],
    conditions: Conditions,
    heat_price: float,
    cooling_price: Floats,
    weights: Weights,
) -> dict[str, float]:
    """The least cost over all steps, from `state` (R, 2) at their start, by one linear program per shade group.

    Shades may stand anywhere between open and closed, those of a group (rows of rooms; every room is in one) on one
    output, and powers are free within their limits, so that no controller can do better. `cooling_price` is (N,), per
    kWh of heat removed. The limits on shaded hours and on moves span all rooms: each gets a price (Lagrange), and
    whatever these prices are, `cost` stays a lower bound; a search finds the highest. `weighed` is the least sum of
    energy, discomfort, lost views and moves at their `weights`, for which these limits do not hold.
    """

    def weighed(weights: Weights) -> dict[str, float]:
        parts = [_least_cost(rooms, state, conditions, heat_price, cooling_price, rows, weights) for rows in groups]
        return {name: sum(part[name] for part in parts) for name in parts[0]}

    def priced(view: float, move: float) -> dict[str, float]:
        """All groups at a price per shaded working hour and per move, neither of which is part of `cost`."""
        return weighed(Weights(DISCOMFORT_PRICE, view, move))

    view, best = 0.0, priced(0.0, 0.0)
    if best["shaded_hours"] > (hours := _shaded_allowed(rooms, groups, conditions)):
        view, best = _dearest(lambda price: priced(price, 0.0), "shaded_hours", hours, best)
    if best["moves"] > (moves := _moves_allowed(rooms, groups, conditions)):

        def with_moves(price: float) -> dict[str, float]:
            found = priced(view, price)
            found["cost"] += view * (found["shaded_hours"] - hours)
            return found

        _, best = _dearest(with_moves, "moves", moves, best)
    return best | {"weighed": weighed(weights)["weighed"]}


def _dearest(
    priced: Callable[[float], dict[str, float]], what: str, allowed: float, best: dict[str, float]
) -> tuple[float, dict[str, float]]:
    """The price of a limit that gives the highest bound, and that bound."""
    low, high, at = 0.0, _DEAREST, 0.0
    for _ in range(_SEARCH):
        price = (low + high) / 2
        found = priced(price)
        over = found[what] - allowed
        found["cost"] += price * over
        if found["cost"] > best["cost"]:
            at, best = price, found
        low, high = (price, high) if over > 0 else (low, price)
    return at, best


def _shaded_allowed(rooms: LinearRooms, groups: list[list[int]], conditions: Conditions) -> float:
    """Room hours of work with the shade down."""
    dazzled = sum(
        len(rows) * (conditions.glare[rows].any(axis=0) & conditions.working & ~conditions.blocked).sum()
        for rows in groups
    )
    working = conditions.working.sum() * len(rooms.models)
    return float(max(dazzled, conditions.shaded_share * working) * STEP_S / HOUR)


def _moves_allowed(rooms: LinearRooms, groups: list[list[int]], conditions: Conditions) -> float:
    """Room moves: what is allowed, or the fewest with which wind and glare can be obeyed where those are more."""
    forced = 0.0
    for rows in groups:
        down = conditions.glare[rows].any(axis=0) & ~conditions.blocked
        told = np.where(down, 1, 0)[down | conditions.blocked]
        forced += len(rows) * float(np.count_nonzero(np.diff(np.concatenate([[0], told]))))
    return float(max(conditions.moves * len(rooms.models), forced))


def _least_cost(
    rooms: LinearRooms,
    start: Floats,
    keep_to: Conditions,
    heat_price: float,
    cooling_price: Floats,
    rows: list[int],
    weights: Weights,
) -> dict[str, float]:
    """The rooms of one group; its shade is up before the first step."""
    at = _Index.of(len(rows), len(keep_to.low))
    balance, known = _balance(rooms, rows, start, at)
    limits, most = _limits(start[rows, 0], keep_to, at)
    hours = STEP_S / HOUR
    cost = np.zeros(at.size)
    cost[at.heating], cost[at.cooling] = heat_price * hours, np.maximum(cooling_price, 0.0) * hours
    cost[at.short] = cost[at.over] = weights.comfort * hours
    cost[at.shade] = weights.view * hours * len(rows) * keep_to.working
    cost[at.lower] = cost[at.lift] = weights.move * len(rows)
    lower, upper = np.zeros(at.size), np.full(at.size, np.inf)
    lower[at.air] = lower[at.mass] = -np.inf
    upper[at.heating] = rooms.heating_power[rows, None] / 1000
    upper[at.cooling] = rooms.cooling_power[rows, None] / 1000
    upper[at.shade] = np.where(keep_to.blocked, 0.0, 1.0)
    lower[at.shade] = keep_to.glare[rows].any(axis=0) & ~keep_to.blocked
    solved = linprog(
        cost,
        A_ub=limits,
        b_ub=most,
        A_eq=balance,
        b_eq=known,
        bounds=np.stack([lower, upper], axis=-1),
        method="highs",
    )
    if solved.status != 0:
        raise RuntimeError(f"the bound of room {rooms.models[rows[0]].room} could not be computed: {solved.message}")
    found = solved.x
    return {
        "cost": float(np.sum(cost[at.heating] * found[at.heating] + cost[at.cooling] * found[at.cooling])),
        "heat_kwh": float(found[at.heating].sum() * hours),
        "cooling_kwh": float(found[at.cooling].sum() * hours),
        "moves": float((found[at.lower] + found[at.lift]).sum() * len(rows)),
        "shaded_hours": float(found[at.shade] @ keep_to.working * hours * len(rows)),
        "discomfort_kh": float((found[at.short] + found[at.over]).sum() * hours),
        "weighed": float(cost @ found),
    }


@dataclass(frozen=True)
class _Index:
    """Columns of the variables of M rooms with one shade: air, mass (degC), heating, cooling (kW), short, over (K)."""

    shade: Ints
    """(N,), as are its movements down and up; the others are (M, N)."""
    lower: Ints
    lift: Ints
    air: Ints
    mass: Ints
    heating: Ints
    cooling: Ints
    short: Ints
    over: Ints
    size: int

    @classmethod
    def of(cls, rooms: int, steps: int) -> "_Index":
        shade, lower, lift = np.arange(3 * steps).reshape(3, steps)
        own = 3 * steps + np.arange(6 * rooms * steps).reshape(6, rooms, steps)
        air, mass, heating, cooling, short, over = own
        return cls(shade, lower, lift, air, mass, heating, cooling, short, over, 3 * steps + own.size)


def _balance(rooms: LinearRooms, rows: list[int], start: Floats, at: _Index) -> tuple[coo_array, Floats]:
    """The equations of LinearRooms for some of its rooms."""
    state = np.stack([at.air, at.mass], axis=-1)
    line = np.arange(state.size).reshape(state.shape)
    before = np.broadcast_to(state[:, :-1, None, :], (*state[:, 1:].shape, 2))
    after = np.broadcast_to(line[:, 1:, :, None], before.shape)
    keep, push = rooms.keep[rows], 1000 * rooms.per_watt[rows]
    opened, shaded = rooms.open[rows], rooms.shaded[rows]
    known = opened + rooms.rest[rows]
    known[:, 0] += np.einsum("rij,rj->ri", keep[:, 0], start[rows])

    def spread(columns: Ints) -> Ints:
        return np.broadcast_to(columns[..., None], line.shape)

    terms = [
        (line, state, np.ones(line.shape)),
        (after, before, -keep[:, 1:]),
        (line, spread(at.heating), -push),
        (line, spread(at.cooling), push),
        (line, spread(at.shade), opened - shaded),
    ]
    step = line.size + np.arange(len(at.shade))
    one = np.ones(len(step))
    terms += [(step, at.shade, one), (step[1:], at.shade[:-1], -one[1:]), (step, at.lower, -one), (step, at.lift, one)]
    return _matrix(terms, (line.size + len(step), at.size)), np.append(known.ravel(), np.zeros(len(step)))


def _limits(air: Floats, keep_to: Conditions, at: _Index) -> tuple[coo_array, Floats]:
    """The band for the mean of the air over each step, from `air` (M,) degC at the start, and how far it is missed.

    And what was lowered within the dwell time is down still (Rajan and Takriti 2005).
    """
    below = np.arange(at.air.size).reshape(at.air.shape)
    above, one = below + below.size, np.ones(at.air.shape)
    half = one / 2
    dwelling = np.flatnonzero(~_within(keep_to.blocked, keep_to.dwell))
    still = 2 * below.size + np.arange(len(dwelling))
    terms = [
        (below, at.air, -half),
        (below[:, 1:], at.air[:, :-1], -half[:, 1:]),
        (below, at.short, -one),
        (above, at.air, half),
        (above[:, 1:], at.air[:, :-1], half[:, 1:]),
        (above, at.over, -one),
        (still, at.shade[dwelling], -np.ones(len(still))),
    ]
    for lag in range(keep_to.dwell):
        known = dwelling >= lag
        terms.append((still[known], at.lower[dwelling[known] - lag], np.ones(known.sum())))
    at_start = np.zeros(at.air.shape)
    at_start[:, 0] = air / 2
    most = [(at_start - keep_to.low).ravel(), (keep_to.high - at_start).ravel(), np.zeros(len(still))]
    return _matrix(terms, (2 * below.size + len(still), at.size)), np.concatenate(most)


def _within(blocked: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
    """(N,) whether any of the last so many steps, this one included, is blocked."""
    recent = blocked.copy()
    for lag in range(1, steps):
        recent[lag:] |= blocked[:-lag]
    return recent


def _matrix(triples: list[tuple[Any, Any, Any]], shape: tuple[int, int]) -> coo_array:
    rows, columns, values = (np.concatenate([np.ravel(part) for part in parts]) for parts in zip(*triples, strict=True))
    return coo_array((values, (rows, columns)), shape=shape).tocsr()
