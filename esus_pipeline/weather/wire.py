"""Reading the JSON of forecast servers strictly: what is not as documented is refused with its name.

Belongs here: checks of shape, units and stamps that every source shares. Does not belong here: whether the weather
itself is plausible (see validate).
"""

import json
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.weather.source import RejectedForecastError


def parse_object(source: str, body: str) -> dict[str, Any]:
    """The JSON object that the body holds. RejectedForecastError: not_json, wrong_schema."""
    try:
        document = json.loads(body, parse_constant=lambda name: _no_constant(source, name))
    except ValueError as error:
        raise RejectedForecastError(source, "not_json", str(error)) from None
    if not isinstance(document, dict):
        raise RejectedForecastError(source, "wrong_schema", f"an object was expected, got {type(document).__name__}")
    return document


def _no_constant(source: str, name: str) -> None:
    raise RejectedForecastError(source, "out_of_bounds", f"{name} is not a number of the weather")


def member(source: str, document: Any, *path: str) -> Any:
    """What stands at `path`. RejectedForecastError (wrong_schema) names the first part that is missing."""
    for depth, name in enumerate(path):
        if not isinstance(document, dict) or name not in document:
            raise RejectedForecastError(source, "wrong_schema", f"{'.'.join(path[: depth + 1])} is missing")
        document = document[name]
    return document


def require_units(source: str, units: Any, expected: dict[str, str]) -> None:
    """RejectedForecastError (wrong_unit) unless `units` states exactly the `expected` unit of each name in it."""
    for name, unit in expected.items():
        stated = units.get(name) if isinstance(units, dict) else None
        if stated != unit:
            raise RejectedForecastError(source, "wrong_unit", f"{name} is in {stated!r}, expected {unit!r}")


def utc_stamps(source: str, texts: Any, format_: str) -> pd.DatetimeIndex:
    """Strictly increasing UTC stamps. RejectedForecastError: wrong_schema, stamps_not_increasing."""
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RejectedForecastError(source, "wrong_schema", "a list of time stamps was expected")
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(texts, format=format_, utc=True)).as_unit("us")
    except ValueError as error:
        raise RejectedForecastError(source, "wrong_schema", f"time stamp: {error}") from None
    if not (stamps[1:] > stamps[:-1]).all():
        raise RejectedForecastError(source, "stamps_not_increasing", f"between {stamps[0]} and {stamps[-1]}")
    return stamps


def numbers(source: str, name: str, values: Any, stamps: pd.DatetimeIndex) -> pd.Series:
    """A list of numbers and nulls as a series on the stamps; null is missing. RejectedForecastError: wrong_schema."""
    if not isinstance(values, list) or len(values) != len(stamps):
        raise RejectedForecastError(source, "wrong_schema", f"{name}: a list of {len(stamps)} values was expected")
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise RejectedForecastError(source, "wrong_schema", f"{name}: {str(value)[:40]!r} is not a number")
    return pd.Series(np.array(values, dtype=float), index=stamps)
