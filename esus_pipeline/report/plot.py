"""The plan as one small picture: a strip per room with its shade and its expected temperature."""

from dataclasses import dataclass

import pandas as pd

from esus_pipeline.report import cards, chart
from esus_pipeline.report.render import ENVIRONMENT
from esus_pipeline.report.stretches import day_words, room_rows
from esus_pipeline.site import Site

WIDTH, LEFT, RIGHT = 720, 96, 708
TOP = 40
STRIP = 58
"""Height of a room's strip, the gap to the next one included."""
CURVE = (0.0, 34.0)
"""Top and bottom of the temperature within a strip."""
BAR_TOP, BAR = 38, 8


@dataclass(frozen=True)
class Strip:
    """One room, drawn from `top` on."""

    room: str
    top: int
    range: str
    comfort: str
    predicted: str
    sun: str
    planned: list[chart.Bar]


def plan_plot(site: Site, plan: pd.DataFrame, gains: pd.DataFrame | None = None) -> str:
    """An SVG document of one plan, without references to anything else.

    Args:
        site: the building.
        plan: one issue of frames.SHADE_SETPOINT_SCHEDULE, at least one row per room.
        gains: frames.SOLAR_GAIN behind the plan; without it no sun is drawn.
    """
    axis = cards.time_axis(plan, LEFT, RIGHT, past=pd.Timedelta(0))
    made = axis.start.tz_convert(site.zone)
    strips = [_strip(room, TOP + STRIP * row, plan, gains, axis) for row, room in enumerate(site.room_ids)]
    return ENVIRONMENT.get_template("plan_plot.svg").render(
        title=f"{site.title}, plan of {day_words(made)} {made:%H:%M}",
        strips=strips,
        ticks=axis.ticks(site),
        width=WIDTH,
        height=TOP + STRIP * len(strips) + 14,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bar_top=BAR_TOP,
        bar=BAR,
    )


def _strip(room: str, top: int, plan: pd.DataFrame, gains: pd.DataFrame | None, axis: chart.TimeAxis) -> Strip:
    rows = room_rows(plan, room)
    times = pd.DatetimeIndex(rows["valid_time"])
    heating, cooling = cards.numbers(rows, "heating_setpoint"), cards.numbers(rows, "cooling_setpoint")
    predicted = cards.numbers(rows, "predicted_temperature")
    sun = cards.window(gains, ["poa_global"], "valid_time", room, axis)
    irradiance = cards.numbers(sun, "poa_global")
    y = chart.value_axis([*heating, *cooling, *predicted], cards.TEMPERATURE_STEPS, *CURVE, most=5)
    y_sun = chart.value_axis([0.0, 800.0, *irradiance], cards.SUN_STEPS, *CURVE, most=2)
    return Strip(
        room=room,
        top=top,
        range=f"{y.low:g} to {y.high:g} °C",
        comfort=chart.band(times, heating, cooling, axis, y),
        predicted=chart.line(times, predicted, axis, y),
        sun=chart.area(pd.DatetimeIndex(sun["valid_time"]), irradiance, axis, y_sun),
        planned=chart.bars(times, cards.numbers(rows, "shade_position"), axis, BAR),
    )
