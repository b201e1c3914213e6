"""Why each room's shade is told what it is told now: winning rule, losing rules, inputs and their ages, expiry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from esus_pipeline.control.inputs import PAST, Horizon, Mask
from esus_pipeline.control.measured import AIR, PRESENCE, WINDOW, Source
from esus_pipeline.control.rules import Rule
from esus_pipeline.control.safety import Held
from esus_pipeline.frames import BUILDING, DECISION_TRACE, STEP

COMMAND_LIFE = timedelta(hours=1)
"""A command that no newer one replaces is void after this; the building then does as it did before."""
NONE = "there is no optimum of the last hour"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Claim:
    """What one rule asks of a shade in the first step."""

    rule: Rule
    wish: str
    """open, closed, or stay."""


@dataclass(frozen=True)
class Decision:
    """One room's first step."""

    room: int
    rule: Rule
    position: float
    """What the shade is told, 0 open .. 1 closed."""
    wanted: bool
    claims: list[Claim]
    """Of all rules that ask for something, in the order of precedence."""
    held: Held
    until: datetime | None
    """When what holds the shade now ends, where that is known."""


def trace_rows(
    horizon: Horizon,
    decisions: list[Decision],
    optimum_age: timedelta | None,
    planned: Mask,
    why: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Rows of frames.DECISION_TRACE, to be put together by `trace_frame`.

    `planned` (R,) are rooms that follow the optimum, `why` says why others do not.
    """
    rows = []
    for decision in decisions:
        name = horizon.site.room_ids[decision.room]
        losing = [
            {"rule": str(claim.rule), "wish": claim.wish} for claim in decision.claims if claim.rule != decision.rule
        ]
        rows.append(
            {
                "issued_at": horizon.as_of,
                "room": name,
                "rule": str(decision.rule),
                "position": decision.position,
                "wanted_position": float(decision.wanted),
                "losing": json.dumps(losing),
                "inputs": json.dumps(_inputs(horizon, decision, optimum_age)),
                "held_closed": decision.held.closed,
                "held_minutes": min(decision.held.steps_since_move, 96) * STEP / MINUTE,
                "moves_today": decision.held.moves_today,
                "holds_until": decision.until,
                "expires_at": horizon.as_of + COMMAND_LIFE,
                "source": "optimum" if planned[decision.room] else f"tuned rule: {why.get(name, NONE)}",
            }
        )
    return rows


def trace_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """frames.DECISION_TRACE of the rows of one or many plans."""
    return pa.Table.from_pylist(rows, schema=DECISION_TRACE.schema).to_pandas()


def _inputs(horizon: Horizon, decision: Decision, optimum_age: timedelta | None) -> dict[str, dict[str, Any]]:
    """Value and age in minutes of each input, null where it is not known.

    Of what a log says that stands in for a better one, also which one it is, for which it stands in, and why.
    """
    room, measured = decision.room, horizon.measured
    told = partial(_told, measured.sources, horizon.site.room_ids[room])
    return {
        "air_temperature_degC": told(AIR, measured.temperature[room]),
        "wind_speed_m_s": _known(measured.wind, _minutes(measured.wind_age)),
        "wind_forecast_m_s": _known(horizon.wind[PAST], _minutes(horizon.forecast_age)),
        "facade_irradiance_W_m2": _known(horizon.irradiance[room, PAST], _minutes(horizon.forecast_age)),
        "facade_irradiance_measured_W_m2": _known(measured.facade_sun[room], _minutes(_sun_age(horizon, room))),
        "outdoor_forecast_degC": _known(horizon.outdoor[0], _minutes(horizon.forecast_age)),
        "presence_share": told(PRESENCE, measured.present[room]),
        "window_open": told(WINDOW, measured.window_open[room]),
        "optimum": {"value": None, "age_minutes": _minutes(optimum_age)},
    }


def _sun_age(horizon: Horizon, room: int) -> timedelta | None:
    """Of the newest reading of the sun on a room's facades."""
    facades = [horizon.site.facades[window.facade] for window in horizon.site.rooms[room].windows]
    names = [(BUILDING, facade.sun_sensor.quantity) for facade in facades if facade.sun_sensor is not None]
    return min((horizon.measured.sources[name].age for name in names if name in horizon.measured.sources), default=None)


def _told(
    sources: Mapping[tuple[str, str], Source], room: str, quantity: str, value: float
) -> dict[str, float | str | None]:
    source = sources.get((room, quantity))
    if source is None:
        return _known(value, None)
    known = _known(value, _minutes(source.age))
    if source.stands_in_for is None:
        return known
    return {**known, "point": source.point, "stands_in_for": source.stands_in_for, "because": source.because}


def _minutes(age: timedelta | None) -> float | None:
    return age / MINUTE if age is not None else None


def _known(value: float, age: float | None) -> dict[str, float | str | None]:
    return {"value": round(float(value), 3) if np.isfinite(value) else None, "age_minutes": age}
