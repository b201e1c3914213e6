"""What is told of the decision in force: who asked for what, on which inputs, and how long it holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from esus_pipeline.control import CLOSED, OPEN, RULES, Rule
from esus_pipeline.report.stretches import day_clock
from esus_pipeline.site import Site

_INPUTS = {
    "air_temperature_degC": ("room temperature", "{:.1f} degC"),
    "wind_speed_m_s": ("wind, measured", "{:.1f} m/s"),
    "wind_forecast_m_s": ("wind, forecast", "{:.1f} m/s"),
    "facade_irradiance_W_m2": ("sun on the facade, estimated", "{:.0f} W/m2"),
    "facade_irradiance_measured_W_m2": ("sun on the facade, measured", "{:.0f} W/m2"),
    "outdoor_forecast_degC": ("outdoors, forecast", "{:.1f} degC"),
    "presence_share": ("somebody seen, share of the time", "{:.2f}"),
    "window_open": ("window open, share of the time", "{:.2f}"),
    "optimum": ("optimum", "computed"),
}
"""Name in frames.DECISION_TRACE -> how people call it, and its value with the unit."""
_HOUR = 60.0
_DAY = 24 * _HOUR


@dataclass(frozen=True)
class Asked:
    """What one rule asked for."""

    rule: str
    wish: str
    meaning: str
    won: bool


@dataclass(frozen=True)
class Read:
    """One input: what it said, how old it was, and for which better log of the sensor it stood in."""

    name: str
    value: str
    age: str
    instead: str


@dataclass(frozen=True)
class Trace:
    """One room's decision in words."""

    facts: list[tuple[str, str]]
    asked: list[Asked]
    """In the order of precedence, the winner first."""
    inputs: list[Read]


def traces(site: Site, trace: pd.DataFrame | None) -> dict[str, Trace]:
    """Rows of frames.DECISION_TRACE of one plan in words, by room."""
    rows = [] if trace is None else trace.to_dict("records")
    return {str(row["room"]): trace_words(site, {str(name): value for name, value in row.items()}) for row in rows}


def trace_words(site: Site, row: Mapping[str, Any]) -> Trace:
    """A row of frames.DECISION_TRACE for a person; times are local."""
    told, wanted = (_position(row[name]) for name in ("position", "wanted_position"))
    facts = [
        ("told", told if told == wanted else f"{told}; {wanted} was wanted"),
        ("wish of", str(row["source"])),
        ("before", f"{_position(CLOSED if row['held_closed'] else OPEN)} for {_length(row['held_minutes'])}"),
        ("moves today", str(row["moves_today"])),
        ("expires", _clock(site, row["expires_at"])),
    ]
    if pd.notna(row["holds_until"]):
        facts.insert(4, ("held until", _clock(site, row["holds_until"])))
    losing = [_asked(each["rule"], each["wish"]) for each in json.loads(row["losing"])]
    inputs = [_read(name, told) for name, told in json.loads(row["inputs"]).items()]
    return Trace(facts, [_asked(str(row["rule"]), told, won=True), *losing], inputs)


def _asked(rule: str, wish: str, won: bool = False) -> Asked:
    return Asked(rule, wish, RULES[Rule(rule)] if rule in list(Rule) else "", won)


def _read(name: str, told: Mapping[str, Any]) -> Read:
    title, shape = _INPUTS.get(name, (name, "{:g}"))
    value, age = told["value"], told["age_minutes"]
    known = value is not None or (name == "optimum" and age is not None)
    words = shape.format(value) if known else "not known"
    return Read(title, words, _length(age) if age is not None else "", _instead(told))


def _instead(told: Mapping[str, Any]) -> str:
    """Empty where nothing stood in, and for traces that were stored before this was told."""
    if told.get("stands_in_for") is None:
        return ""
    why = str(told["because"]).replace("_", " ")
    return f"point {told['point']} in place of {told['stands_in_for']}: {why}"


def _position(position: float) -> str:
    return {OPEN: "open", CLOSED: "closed"}.get(float(position), f"{position:.0%} closed")


def _length(minutes: float) -> str:
    if minutes < 2 * _HOUR:
        return f"{minutes:.0f} min"
    return f"{minutes / _HOUR:.0f} h" if minutes < 2 * _DAY else f"{minutes / _DAY:.0f} d"


def _clock(site: Site, instant: pd.Timestamp) -> str:
    return day_clock(instant.tz_convert(site.zone))
