"""What one room's card and strip show, as plain numbers, paths and words for the templates."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.report import chart
from esus_pipeline.report.stretches import (
    Stretch,
    day_clock,
    day_words,
    facade_words,
    room_rows,
    setpoint_words,
    stretches,
)
from esus_pipeline.site import Site

PAST = pd.Timedelta(hours=6)
"""How much of the past a card shows."""
UNFOLDED = timedelta(hours=8)
"""Reasons of a day that begins later are folded away."""
WIDTH, LEFT, RIGHT = 360, 54, 354
SUN = (22, 74)
"""Top and bottom of the sun's chart; likewise below."""
TEMPERATURE = (104, 204)
CROWD = (234, 274)
SHADE_ROWS = (296, 312)
BAR = 12
AXIS = 340
"""Baseline of the hours."""
HEIGHT = 360

SUN_STEPS = (100, 200, 400, 500, 800)
CROWD_STEPS = (1, 2, 5, 10, 20, 50, 100, 200)
PEOPLE = ["people", "people_low", "people_high"]
"""Columns of frames.OCCUPANCY_FORECAST that are drawn."""
TEMPERATURE_STEPS = (1, 2, 3, 4, 5, 10, 20)


@dataclass(frozen=True)
class Picture:
    """The geometry of one card."""

    x_ticks: list[chart.Tick]
    now: float
    sun_ticks: list[chart.Tick]
    sun: str
    temperature_ticks: list[chart.Tick]
    comfort: str
    heating: str
    cooling: str
    predicted: str
    measured: str
    crowd_ticks: list[chart.Tick]
    crowd: str
    people: str
    planned: list[chart.Bar]
    baseline: list[chart.Bar]
    has_baseline: bool


@dataclass(frozen=True)
class Day:
    """The reasons of one local day; `soon` when it begins within UNFOLDED of the plan's start."""

    title: str
    stretches: list[Stretch]
    soon: bool


@dataclass(frozen=True)
class Card:
    """One room: what is now, what comes next, the picture and the reasons by day."""

    room: str
    title: str
    facade: str
    shade: str
    temperature: str
    warmest: str
    setpoints: str
    setpoints_why: str
    description: str
    picture: Picture
    reasons: list[Day]


def time_axis(plan: pd.DataFrame, left: float, right: float, past: pd.Timedelta = PAST) -> chart.TimeAxis:
    """The common axis of all charts of a plan."""
    times = plan["valid_time"]
    return chart.TimeAxis(times.min() - past, times.max() + STEP, left, right)


def picture(
    site: Site,
    rows: pd.DataFrame,
    sun: pd.DataFrame,
    measured: pd.DataFrame,
    people: pd.DataFrame,
    axis: chart.TimeAxis,
) -> Picture:
    """The geometry of one room: its plan, its rows of the solar gain, measured temperatures, people expected."""
    times = pd.DatetimeIndex(rows["valid_time"])
    heating, cooling = numbers(rows, "heating_setpoint"), numbers(rows, "cooling_setpoint")
    predicted, baseline = numbers(rows, "predicted_temperature"), numbers(rows, "baseline_shade_position")
    past = numbers(measured, "air_temperature")
    y = chart.value_axis([*heating, *cooling, *predicted, *past], TEMPERATURE_STEPS, *TEMPERATURE, most=5)
    irradiance = numbers(sun, "poa_global")
    y_sun = chart.value_axis([0.0, 400.0, *irradiance], SUN_STEPS, *SUN, most=2)
    coming = pd.DatetimeIndex(people["valid_time"])
    expected, low, high = (numbers(people, name) for name in PEOPLE)
    y_crowd = chart.value_axis([0.0, 1.0, *high], CROWD_STEPS, *CROWD, most=2)
    return Picture(
        x_ticks=axis.ticks(site),
        now=axis.place(times[0]),
        sun_ticks=y_sun.ticks,
        sun=chart.area(pd.DatetimeIndex(sun["valid_time"]) + STEP / 2, irradiance, axis, y_sun),
        temperature_ticks=y.ticks,
        comfort=chart.band(times, heating, cooling, axis, y),
        heating=chart.steps(times, heating, axis, y),
        cooling=chart.steps(times, cooling, axis, y),
        predicted=chart.line(times, predicted, axis, y),
        measured=chart.line(pd.DatetimeIndex(measured["timestamp"]) + STEP / 2, past, axis, y),
        crowd_ticks=y_crowd.ticks,
        crowd=chart.band(coming, low, high, axis, y_crowd),
        people=chart.line(coming + STEP / 2, expected, axis, y_crowd),
        planned=chart.bars(times, numbers(rows, "shade_position"), axis, BAR),
        baseline=chart.bars(times, baseline, axis, BAR),
        has_baseline=bool(np.isfinite(baseline).any()),
    )


def card(
    site: Site,
    room: str,
    plan: pd.DataFrame,
    sun: pd.DataFrame,
    measured: pd.DataFrame,
    people: pd.DataFrame,
    axis: chart.TimeAxis,
) -> Card:
    """The card of one room; `sun`, `measured` and `people` hold rows of this room within the axis."""
    rows = room_rows(plan, room)
    spans = stretches(rows, site)
    now = rows.iloc[0]
    facade = facade_words(site, room)
    return Card(
        room=room,
        title=site.room(room).title or room,
        facade=facade,
        shade=_shade_now(spans),
        temperature=_degrees(now["predicted_temperature"]),
        warmest=_warmest(site, rows),
        setpoints=f"{now['heating_setpoint']:.1f} to {now['cooling_setpoint']:.1f} °C",
        setpoints_why=setpoint_words(rows),
        description=f"{facade}; {'; '.join(f'{day_clock(span.start)} {span.state}' for span in spans)}",
        picture=picture(site, rows, sun, measured, people, axis),
        reasons=_by_day(spans),
    )


def window(frame: pd.DataFrame | None, columns: list[str], time: str, room: str, axis: chart.TimeAxis) -> pd.DataFrame:
    """One room's rows of a table within the axis, in the order of time; no rows where the table is missing."""
    if frame is None or frame.empty or not {"room", *columns} <= set(frame.columns):
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns}).assign(
            **{time: pd.Series(dtype="datetime64[us, UTC]")}
        )
    inside = (frame["room"] == room) & (frame[time] >= axis.start) & (frame[time] < axis.end)
    return frame.loc[inside].sort_values(time)


def numbers(frame: pd.DataFrame, column: str) -> list[float]:
    """A column as plain floats, NaN where it is missing."""
    return [float(value) for value in frame[column].to_numpy(dtype=float, na_value=np.nan)]


def _shade_now(spans: list[Stretch]) -> str:
    now = spans[0]
    for later in spans:
        if later.position != now.position:
            today = later.start.date() == now.start.date()
            return f"{now.state} until {later.start:%H:%M}" if today else f"{now.state} until {day_clock(later.start)}"
    return f"{now.state} throughout"


def _degrees(value: float | None) -> str:
    return "not known" if value is None or pd.isna(value) else f"{value:.1f} °C"


def _warmest(site: Site, rows: pd.DataFrame) -> str:
    predicted = np.nan_to_num(numbers(rows, "predicted_temperature"), nan=-np.inf)
    step = int(predicted.argmax())
    if not np.isfinite(predicted[step]):
        return _degrees(None)
    return f"{_degrees(predicted[step])}, {day_clock(rows['valid_time'].iloc[step].tz_convert(site.zone))}"


def _by_day(spans: list[Stretch]) -> list[Day]:
    days: dict[str, list[Stretch]] = {}
    for span in spans:
        days.setdefault(day_words(span.start), []).append(span)
    return [Day(title, found, found[0].start - spans[0].start < UNFOLDED) for title, found in days.items()]
