"""Every table that crosses a border between packages: columns, units, key, and what its time stamp means.

Belongs here: the description of a table and the check that a data frame fits it. Does not belong here: reading,
writing or computing one. All times are UTC. An interval value is stamped with the START of its interval, and the
interval is 15 minutes unless a column says otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

STEP = timedelta(minutes=15)
"""Length of one partition window, of one planning step and of one row of the room table."""

TIMESTAMP = pa.timestamp("us", tz="UTC")


class FrameError(ValueError):
    """A data frame does not fit the table that it was meant for."""


@dataclass(frozen=True)
class Frame:
    """One table. Rows are identified by `key`; the UTC day of `time` decides which file a row is stored in."""

    name: str
    description: str
    schema: pa.Schema
    key: tuple[str, ...]
    time: str

    def conform(self, df: pd.DataFrame) -> pd.DataFrame:
        """The frame with exactly this table's columns, order and types; FrameError names what does not fit."""
        missing = [name for name in self.schema.names if name not in df.columns]
        if missing:
            raise FrameError(f"{self.name}: missing columns {missing}")
        for name in self.schema.names:
            if self.schema.field(name).type == TIMESTAMP and getattr(df[name].dtype, "tz", None) is None and len(df):
                raise FrameError(f"{self.name}.{name}: time stamps must carry a zone, got {df[name].dtype}")
        nullable = pa.schema([field.with_nullable(True) for field in self.schema])
        try:
            table = pa.Table.from_pandas(df[self.schema.names], schema=nullable, preserve_index=False, safe=True)
        except (pa.ArrowException, OverflowError) as error:
            raise FrameError(f"{self.name}: {error}") from error
        for field in self.schema:
            if not field.nullable and table[field.name].null_count:
                raise FrameError(f"{self.name}.{field.name}: {table[field.name].null_count} missing values")
        return table.replace_schema_metadata().to_pandas()  # the metadata holds the zones that `df` came with

    def table(self, columns: Mapping[str, Any]) -> pa.Table:
        """A table of arrow arrays, or of what arrow makes arrays of, by column; for rows that are right by making."""
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def of(self, columns: Mapping[str, Any]) -> pd.DataFrame:
        """The same as a data frame."""
        return self.table(columns).to_pandas()

    def empty(self) -> pd.DataFrame:
        """A frame of this table without rows."""
        return self.schema.empty_table().to_pandas()


def _column(name: str, type_: pa.DataType, unit: str, description: str, required: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=not required, metadata={"unit": unit, "description": description})


def _time(name: str, description: str) -> pa.Field:
    return _column(name, TIMESTAMP, "UTC", description, required=True)


def _number(name: str, unit: str, description: str) -> pa.Field:
    return _column(name, pa.float64(), unit, description)


def _text(name: str, description: str, required: bool = True) -> pa.Field:
    return _column(name, pa.string(), "", description, required)


_POINT = _column("point_id", pa.int64(), "", "external log id of the building's system", required=True)
_VALID_TIME = _time("valid_time", "start of the 15-minute interval that the row is about")

RAW_BMS_READINGS = Frame(
    "raw_bms_readings",
    "Readings as the building gave them, deduplicated, in the building's own units.",
    pa.schema(
        [
            _POINT,
            _time("timestamp", "instant of the reading"),
            _column("value", pa.float64(), "as the point", "the reading; booleans are 0 and 1", required=True),
            _time("received_at", "when this value was first received"),
        ]
    ),
    key=("point_id", "timestamp"),
    time="timestamp",
)

QUARANTINE = Frame(
    "quarantine",
    "What was refused, as it came, and why. Nothing that arrives is dropped without a row here.",
    pa.schema(
        [
            _time("received_at", "when it was refused"),
            _text("source", "where it came from, such as bms or open-meteo"),
            _text("reason", "one of the documented reasons"),
            _column("point_id", pa.int64(), "", "the point, where it could be told"),
            _text("record", "the refused record as text, at most 2,000 characters"),
        ]
    ),
    key=("source", "reason", "record"),
    time="received_at",
)

CLEAN_SERIES = Frame(
    "clean_series",
    "One row per stored reading: typed, in canonical units, judged; flagged and never deleted.",
    pa.schema(
        [
            _POINT,
            _text("room", "room of the site, missing for a point of the whole building", required=False),
            _text("quantity", "what is measured, from the site's vocabulary"),
            _time("timestamp", "instant of the reading"),
            _number("value", "see unit", "the reading in the canonical unit"),
            _text("unit", "canonical unit of the quantity"),
            _text("quality", "good, or the first flag that applies; see readings.quality"),
        ]
    ),
    key=("point_id", "timestamp"),
    time="timestamp",
)

POINT_STATE = Frame(
    "point_states",
    "What every point is believed to be at the end of each window: current, late, missing, stuck ..; and since when.",
    pa.schema(
        [
            _time("window", "start of the window at whose end the point is judged"),
            _POINT,
            _text("room", "room of the site, missing for a point of the whole building", required=False),
            _text("quantity", "what is measured, from the site's vocabulary"),
            _text("controller", "what delivers late together: the first part of the point's path"),
            _text("state", "one of quality.State"),
            _column(
                "since",
                TIMESTAMP,
                "UTC",
                "late, missing: the newest reading; stuck, implausible: the first such reading; else missing",
            ),
            _number("age_minutes", "min", "of the newest reading when the window ends; missing before the first one"),
            _number("bound_minutes", "min", "own silence that is normal now; missing where silence says nothing"),
            _number("controller_late_minutes", "min", "how far the controller's watermark is behind the window's end"),
            _number("controller_bound_minutes", "min", "how far behind is normal for the controller"),
        ]
    ),
    key=("window", "point_id"),
    time="window",
)

GAP = Frame(
    "gaps",
    "The ledger of gaps: silences of a point longer than its rhythm allows, and what became of them.",
    pa.schema(
        [
            _POINT,
            _time("gap_start", "the reading after which the point fell silent"),
            _column("gap_end", TIMESTAMP, "UTC", "the next reading; missing while the silence lasts"),
            _text("state", "late (may still be delivered), missing (final) or healed"),
            _time("first_seen", "end of the first window by which the silence was too long"),
            _column("healed_at", TIMESTAMP, "UTC", "when readings inside the gap had arrived after all"),
        ]
    ),
    key=("point_id", "gap_start"),
    time="gap_start",
)

ROOM_SOURCES = Frame(
    "room_sources",
    "Where values of the room table come from, of the quantities that decisions tell of: one row per value.",
    pa.schema(
        [
            _text("room", "room of the site, or building"),
            _time("timestamp", "start of the window"),
            _text("quantity", "column of the room table"),
            _column("point_id", pa.int64(), "", "point that the value comes from", required=True),
            _column("age_minutes", pa.float64(), "min", "of its newest good reading at the window's end", True),
            _column(
                "stands_in_for", pa.int64(), "", "better log of the same sensor without a value, where there is one"
            ),
            _text("because", "why that has none: silent, or the flag of its newest reading", required=False),
        ]
    ),
    key=("room", "timestamp", "quantity"),
    time="timestamp",
)

RHYTHM = Frame(
    "point_rhythm",
    "What is normal for a point, learned from its own history: its silences, its levels, its stillness.",
    pa.schema(
        [
            _time("valid_from", "first window that is judged by this version"),
            _POINT,
            _text("kind", "periodic, change_of_value, silent (its silence says nothing) or short (configured bound)"),
            _column("gaps", pa.int64(), "1", "silences between readings that it was learned from", required=True),
            _number("bound_workday", "min", "allowed silence on weekdays by day (local 06:00-20:00)"),
            _number("bound_night", "min", "allowed silence in the nights before and after weekdays"),
            _number("bound_weekend", "min", "allowed silence on Saturday and Sunday by day"),
            _number("bound_weekend_night", "min", "allowed silence in weekend nights"),
            _column("newest", TIMESTAMP, "UTC", "newest reading ever received before the version was made"),
            _number("level_low", "canonical unit", "0.5 % of the good readings are below"),
            _number("level_high", "canonical unit", "0.5 % of the good readings are above"),
            _number("still_minutes", "min", "99.7 % of the runs of equal readings are not longer"),
        ]
    ),
    key=("valid_from", "point_id"),
    time="valid_from",
)

CONTROLLER_RHYTHM = Frame(
    "controller_rhythm",
    "How late a controller usually delivers, learned from when its readings arrived.",
    pa.schema(
        [
            _time("valid_from", "first window that is judged by this version"),
            _text("controller", "first part of the points' paths"),
            _column("polls", pa.int64(), "1", "polls that it was learned from", required=True),
            _number("witnesses", "1", "the watermark is the newest instant that so many of its points have reached"),
            _number("bound_minutes", "min", "distance of the watermark that is normal even when one witness is lost"),
        ]
    ),
    key=("valid_from", "controller"),
    time="valid_from",
)

WEATHER_FORECAST = Frame(
    "weather_forecast",
    "Forecasts as they became known, one row per issue and 15 minutes.",
    pa.schema(
        [
            _time("issued_at", "when the forecast became known; for a hindcast, the instant it stands in for"),
            _VALID_TIME,
            _column("interval_minutes", pa.int32(), "min", "length of the interval that starts at valid_time", True),
            _number("ghi", "W/m2", "global horizontal irradiance, mean over the interval"),
            _number("dni", "W/m2", "direct normal irradiance, mean over the interval"),
            _number("dhi", "W/m2", "diffuse horizontal irradiance, mean over the interval"),
            _number("temp_air", "degC", "air temperature at 2 m, mean over the interval"),
            _number("wind_speed", "m/s", "wind speed at 10 m, mean over the interval"),
            _number("wind_gust", "m/s", "greatest gust at 10 m in the interval; missing where the source has none"),
            _number("cloud_cover", "percent", "share of the sky covered, mean over the interval"),
            _text("source", "who made it: open-meteo or met-norway"),
            _text("kind", "forecast, or hindcast where the value was not known at issued_at"),
        ]
    ),
    key=("issued_at", "valid_time"),
    time="issued_at",
)

SOLAR_GAIN = Frame(
    "solar_gain",
    "Sun through the windows of each room, as it was known at issued_at.",
    pa.schema(
        [
            _time("issued_at", "when this estimate became known"),
            _text("room", "room of the site"),
            _VALID_TIME,
            _number("poa_global", "W/m2", "plane-of-array irradiance, area-weighted over the room's windows"),
            _number("gain_open", "W", "solar heat gain with the shades up, mean over the interval"),
            _number("gain_shaded", "W", "solar heat gain with the shades down, mean over the interval"),
        ]
    ),
    key=("issued_at", "room", "valid_time"),
    time="issued_at",
)

SOLAR_GAIN_PANE = Frame(
    "solar_gain_pane",
    "The same estimate for each window pane.",
    pa.schema(
        [
            _time("issued_at", "when this estimate became known"),
            _text("room", "room of the site"),
            _text("window", "window of the room"),
            _VALID_TIME,
            _number("poa_global", "W/m2", "plane-of-array irradiance on the pane after obstruction"),
            _number("gain_open", "W", "solar heat gain with the shade up"),
            _number("gain_shaded", "W", "solar heat gain with the shade down"),
        ]
    ),
    key=("issued_at", "room", "window", "valid_time"),
    time="issued_at",
)

SHADE_SETPOINT_SCHEDULE = Frame(
    "shade_setpoint_schedule",
    "The plan of each window: what every room's shade and setpoints should do in the next 36 hours, and why.",
    pa.schema(
        [
            _time("issued_at", "end of the window that the plan was made for"),
            _text("room", "room of the site"),
            _VALID_TIME,
            _column("shade_position", pa.float64(), "1", "0 = open (retracted) .. 1 = closed (lowered)", True),
            _column("heating_setpoint", pa.float64(), "degC", "heat below this air temperature", True),
            _column("cooling_setpoint", pa.float64(), "degC", "cool above this air temperature", True),
            _text("reason", "why, in a sentence for a person"),
            _text("rule", "the rule that won, from control's vocabulary"),
            _number("predicted_temperature", "degC", "expected room air temperature; missing without a reading"),
            _number("baseline_shade_position", "1", "what the building's own sun-sensor rule would do, 0 .. 1"),
            _text("setpoint_reason", "why these setpoints, in a sentence for a person", required=False),
        ]
    ),
    key=("issued_at", "room", "valid_time"),
    time="issued_at",
)

ELECTRICITY_PRICE = Frame(
    "electricity_price",
    "Day-ahead prices by quarter of an hour, as they became known.",
    pa.schema(
        [
            _time(
                "issued_at", "when the price became known: at its publication, or when it arrived if that was earlier"
            ),
            _text("price_area", "bidding zone, such as DK1"),
            _VALID_TIME,
            _column("interval_minutes", pa.int32(), "min", "length of the interval that starts at valid_time", True),
            _column("price", pa.float64(), "DKK/kWh", "without grid, taxes and trader; can be negative", True),
            _text("source", "who said it"),
        ]
    ),
    key=("price_area", "valid_time"),
    time="valid_time",
)

OPTIMAL_PLAN = Frame(
    "optimal_plan",
    "What the optimiser wanted each hour for the 48 h ahead, before the rule layer; rows are hours.",
    pa.schema(
        [
            _time("issued_at", "when the optimum was computed for"),
            _text("room", "room of the site"),
            _time("valid_time", "start of the hour that the row is about"),
            _number("shade_position", "1", "0 = open (retracted) .. 1 = closed (lowered); missing without a plan"),
            _number("temperature", "degC", "expected room air temperature at the end of the hour"),
            _number("mass_temperature", "degC", "expected temperature of floors and walls at the end of the hour"),
            _number("open_temperature", "degC", "air temperature with an open shade and without cooling"),
            _number("disturbance", "W", "heat that the model cannot explain, as it is expected to fade"),
            _number("heating", "W", "expected heating, mean over the hour"),
            _number("cooling", "W", "expected cooling, mean over the hour, positive"),
            _text("failure", "why there is no plan of this room; empty where there is one"),
        ]
    ),
    key=("issued_at", "room", "valid_time"),
    time="issued_at",
)

OCCUPANCY_FORECAST = Frame(
    "occupancy_forecast",
    "How many people are expected in each room in the 48 h after each optimum, which was made with it, and how sure "
    "that is.",
    pa.schema(
        [
            _time("issued_at", "when the forecast was made"),
            _text("room", "room of the site"),
            _VALID_TIME,
            _number("people", "person", "expected, mean over the interval"),
            _number("people_low", "person", "10th percentile of the mean over the interval"),
            _number("people_high", "person", "90th percentile of the mean over the interval"),
            _number("somebody", "1", "0 .. 1, how likely somebody is there at a moment of the interval"),
            pa.field(
                "habits_until",
                TIMESTAMP,
                metadata={"unit": "UTC", "description": "end of the readings that habits were learned from, if any"},
            ),
            _number("habits_days", "day", "readings behind the habits, as they count; 0: the site's hours alone"),
        ]
    ),
    key=("issued_at", "room", "valid_time"),
    time="issued_at",
)

OVERRIDE_RELEASE = Frame(
    "override_release",
    "When somebody gave a shade that was moved by hand back to the plan (`esus release`).",
    pa.schema([_time("released_at", "when it was given back"), _text("room", "room of the site")]),
    key=("room", "released_at"),
    time="released_at",
)

DECISION_TRACE = Frame(
    "decision_trace",
    "Why each room's shade was told what it was told: one row per plan and room, about the plan's first 15 minutes.",
    pa.schema(
        [
            _time("issued_at", "end of the window that the plan was made for"),
            _text("room", "room of the site"),
            _text("rule", "the rule that won, from control's vocabulary"),
            _column("position", pa.float64(), "1", "what the shade is told, 0 = open .. 1 = closed", True),
            _column("wanted_position", pa.float64(), "1", "what optimum or tuned rule wanted", True),
            _text("losing", "JSON list of the rules that asked for something and lost, with their wishes"),
            _text(
                "inputs",
                "JSON object: value and age in minutes of each input, null is not known; of a log that stands in for a "
                "better one also its point, stands_in_for and because, as in room_sources",
            ),
            _column("held_closed", pa.bool_(), "", "whether the shade was down before", True),
            _number("held_minutes", "min", "since its last move, at most a day"),
            _column("moves_today", pa.int64(), "", "moves of the local day that count towards the limit", True),
            pa.field("holds_until", TIMESTAMP, metadata={"unit": "UTC", "description": "end of a hold, where known"}),
            _time("expires_at", "a command that no newer one replaced is void from here on"),
            _text("source", "optimum, or tuned rule and why"),
        ]
    ),
    key=("issued_at", "room"),
    time="issued_at",
)


def _room_model_fields() -> list[pa.Field]:
    parameters = {
        "c_air": ("J/K", "heat capacity of air and what follows it within an hour"),
        "c_mass": ("J/K", "heat capacity of floors and walls"),
        "h_am": ("W/K", "between air and mass"),
        "h_ao": ("W/K", "from air to outdoors"),
        "h_mo": ("W/K", "from mass to outdoors"),
        "h_mb": ("W/K", "from mass to the rooms around"),
        "k_open": ("1", "sun through open shades as a share of gain_open"),
        "k_shaded": ("1", "sun through closed shades as a share of gain_shaded"),
        "f_air": ("1", "share of the sun that warms the air at once"),
        "g_person": ("W", "heat per person present"),
        "constant": ("W", "heat that is always there"),
        "k_heat": ("W/K", "radiator at a fully open valve per kelvin between water and air"),
        "t_radiator": ("s", "in which the radiator follows its valve to 1 - 1/e"),
        "k_vent": ("1", "supply air as a share of damper position times the greatest flow"),
        "building_temperature": ("degC", "of the rooms around"),
    }
    return [_number(name, unit, description) for name, (unit, description) in parameters.items()]


ROOM_MODELS = Frame(
    "room_models",
    "The thermal model of each room that is in force after each night, how well it predicts, and what it cannot know.",
    pa.schema(
        [
            _time("trained_at", "end of the readings that were known; the model is in force from then on"),
            _text("room", "room of the site"),
            _column(
                "version", pa.int64(), "1", "counts the models taken; 0 is the prior from the site's geometry", True
            ),
            _column("taken", pa.bool_(), "1", "whether this night's model was taken", True),
            _text("verdict", "why it was taken or the former one kept"),
            *_room_model_fields(),
            pa.field("trained_from", TIMESTAMP, metadata={"unit": "UTC", "description": "first reading taught"}),
            pa.field("trained_to", TIMESTAMP, metadata={"unit": "UTC", "description": "end of the readings taught"}),
            *[_number(f"rmse_{h}h", "K", f"error {h} h ahead on days not taught") for h in (1, 6, 24)],
            *[_number(f"persistence_{h}h", "K", f"error {h} h ahead of no change at all") for h in (1, 6, 24)],
            _number("candidate_rmse_24h", "K", "error of this night's model, taken or not"),
            _column("predictions", pa.int64(), "1", "predictions that the errors are of", required=True),
            _text("unknown", "parameters that the readings cannot tell, separated by commas"),
            _text("ranges", "JSON: parameter -> 5th and 95th percentile, of a model taken this night"),
        ]
    ),
    key=("trained_at", "room"),
    time="trained_at",
)


def _savings_fields() -> list[pa.Field]:
    parties = {
        "expected": "by the optimum in force when the day began; missing where there was none",
        "measured": "as valves, dampers and temperatures were measured",
        "plan": "by the room's model under the plan's commands",
        "baseline": "by the room's model under the rule that the building runs without the plan",
    }
    figures = {
        "heat_kwh": ("kWh", "heat by the radiators"),
        "cooling_kwh": ("kWh", "heat removed by mechanical cooling"),
        "cost": ("site's currency", "of heating and cooling"),
        "discomfort": ("K h", "outside the occupied comfort band in working hours"),
    }
    return [
        _number(f"{party}_{name}", unit, f"{what}, {whose}")
        for party, whose in parties.items()
        for name, (unit, what) in figures.items()
    ]


SAVINGS = Frame(
    "savings",
    "What each finished day's plan was worth in each room, against the rule that the building runs without it.",
    pa.schema(
        [
            _time("day", "start of the UTC day"),
            _text("room", "room of the site"),
            _text("outcome", "carried_out or advice where the day counts, else why it does not"),
            _text("reason", "why it does not count, in a sentence; empty where it does"),
            _column("version", pa.int64(), "1", "of the room's model; 0 where none was learned", required=True),
            *_savings_fields(),
            _number("saving", "site's currency", "baseline's cost less the plan's, both by the model"),
            _number("saving_low", "site's currency", "5th percentile of what the model's uncertainty leaves open"),
            _number("saving_high", "site's currency", "95th percentile"),
            _text("draws", "JSON list: the saving by each of the models that the readings leave open"),
        ]
    ),
    key=("day", "room"),
    time="day",
)


def room_table(quantities: Iterable[str]) -> Frame:
    """The 15-minute table of a site: one row per room and window, one column per quantity (canonical units).

    Points of the whole building stand in the rows of the room `building`. A value stands for the window that
    starts at `timestamp`; it is missing where no reading is young enough.
    """
    names = sorted(set(quantities))
    columns = [_number(name, "canonical unit of the quantity", name.replace("_", " ")) for name in names]
    return Frame(
        "room_table",
        "Readings of every room on the common 15-minute grid.",
        pa.schema(
            [_text("room", "room of the site, or building"), _time("timestamp", "start of the window"), *columns]
        ),
        key=("room", "timestamp"),
        time="timestamp",
    )


BUILDING = "building"
"""The name that stands in the room column for points of the whole building."""
