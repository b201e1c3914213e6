"""The words of a decision: which way a shade position counts and which rule can win. No decision is made here."""

from enum import StrEnum

OPEN = 0.0
"""Shade position: retracted, glass free. The only statement of polarity: 0 is open, 1 is closed, everywhere."""
CLOSED = 1.0
"""Shade position: fully lowered. Rules command only OPEN and CLOSED, which every kind of shade can do; where somebody
left it half-way it stays."""


class Rule(StrEnum):
    """The rule that won a row of the plan, as it stands in the column `rule`. `RULES` says what each means."""

    NO_SHADE = "no_shade"
    PROTECTED = "protected"
    WIND = "wind"
    MISSING_FORECAST = "missing_forecast"
    STALE_FORECAST = "stale_forecast"
    MISSING_WIND = "missing_wind"
    MISSING_GAINS = "missing_gains"
    MISSING_TEMPERATURE = "missing_temperature"
    MANUAL = "manual"
    WIND_UNKNOWN = "wind_unknown"
    GLARE = "glare"
    SHADE_FOR_COMFORT = "shade_for_comfort"
    SHADE_FOR_COST = "shade_for_cost"
    CLOSE_BEFORE_SUN = "close_before_sun"
    CLOSE_WHEN_WARM = "close_when_warm"
    HOLD = "hold"
    OPEN_FOR_GAIN = "open_for_gain"
    OPEN_FOR_VIEW = "open_for_view"
    OPEN_NO_SUN = "open_no_sun"


RULES: dict[Rule, str] = {
    Rule.NO_SHADE: "the room has no shade to move",
    Rule.PROTECTED: "open: the building's own wind protection holds the shades up",
    Rule.WIND: "open: wind over the limit, about to be, or not long enough below it",
    Rule.MISSING_FORECAST: "open, safe plan: no weather forecast for this time",
    Rule.STALE_FORECAST: "open, safe plan: the weather forecast is too old",
    Rule.MISSING_WIND: "open, safe plan: the forecast says nothing of the wind at this time",
    Rule.MISSING_GAINS: "open, safe plan: no estimate of the sun through the windows for this time",
    Rule.MISSING_TEMPERATURE: "open, safe plan: no fresh room temperature in the shade group",
    Rule.MANUAL: "as somebody put it: a hand on the shade is respected for a while",
    Rule.WIND_UNKNOWN: "not lowered now: no fresh reading of the wind",
    Rule.GLARE: "closed: somebody is in a room of the group and the sun would dazzle",
    Rule.SHADE_FOR_COMFORT: "closed by the optimum: with open shades the sun would push a room too near its limit",
    Rule.SHADE_FOR_COST: "closed by the optimum: keeping the sun out costs less than cooling or an uneasy margin",
    Rule.CLOSE_BEFORE_SUN: "closed: with open shades the day's sun would push a room of the group over its limit",
    Rule.CLOSE_WHEN_WARM: "closed: on a cold day the sun was let in until more of it would be too much",
    Rule.HOLD: "another position was wanted, but the shade moved too recently or too often today",
    Rule.OPEN_FOR_GAIN: "open: it is cold outside and the sun is welcome heat",
    Rule.OPEN_FOR_VIEW: "open: the sun does not push the room over its limit, so daylight and view come first",
    Rule.OPEN_NO_SUN: "open: no sun on the facade at this time",
}
"""Every rule in the order of precedence, with its meaning."""

SAFETY = frozenset(
    {
        Rule.PROTECTED,
        Rule.WIND,
        Rule.MISSING_FORECAST,
        Rule.STALE_FORECAST,
        Rule.MISSING_WIND,
        Rule.MISSING_GAINS,
        Rule.MISSING_TEMPERATURE,
    }
)
"""Rules that open a shade whatever else is wanted. A move that they force does not count towards the day's moves."""

UNCOUNTED = SAFETY | {Rule.MANUAL}
"""Rules whose moves are not the plan's own."""
