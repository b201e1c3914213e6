"""The plan page: one HTML file that needs nothing else, for a phone as well as for a wide screen."""

import base64
import hashlib
from datetime import datetime

import pandas as pd
from markupsafe import Markup

from esus_pipeline.report import cards
from esus_pipeline.report.chart import TimeAxis
from esus_pipeline.report.render import ENVIRONMENT
from esus_pipeline.report.stretches import day_words
from esus_pipeline.report.trace import traces
from esus_pipeline.site import Site


def plan_page(
    site: Site,
    plan: pd.DataFrame,
    gains: pd.DataFrame | None = None,
    forecast: pd.DataFrame | None = None,
    history: pd.DataFrame | None = None,
    trace: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
) -> str:
    """The page of one plan.

    Args:
        site: the building.
        plan: one issue of frames.SHADE_SETPOINT_SCHEDULE, at least one row per room.
        gains: frames.SOLAR_GAIN behind the plan, one row per room and valid time.
        forecast: the issue of frames.WEATHER_FORECAST behind the plan.
        history: rows of the room table of the last hours.
        trace: rows of frames.DECISION_TRACE of the plan.
        people: the issue of frames.OCCUPANCY_FORECAST behind the plan.

    Returns:
        An HTML document. Its content security policy allows its own style sheet and nothing else.

    Raises:
        ValueError: the plan has no rows, or none of some room of the site.
    """
    absent = sorted(set(site.room_ids) - set(plan["room"]))
    if absent:
        raise ValueError(f"the plan has no rows of {', '.join(absent)}; make it with control.make_plan")
    axis = cards.time_axis(plan, cards.LEFT, cards.RIGHT)
    style = ENVIRONMENT.get_template("plan_page.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    as_of = plan["valid_time"].min().tz_convert(site.zone).to_pydatetime()
    return ENVIRONMENT.get_template("plan_page.html").render(
        site=site,
        made=_moment(as_of),
        forecast=_forecast(site, forecast, as_of),
        cards=[_card(site, room, plan, gains, history, people, axis) for room in site.room_ids],
        traces=traces(site, trace),
        layout=cards,
        style=Markup(style),  # noqa: S704  # our own file, without a value in it
        style_digest=digest,
    )


def _card(
    site: Site,
    room: str,
    plan: pd.DataFrame,
    gains: pd.DataFrame | None,
    history: pd.DataFrame | None,
    people: pd.DataFrame | None,
    axis: TimeAxis,
) -> cards.Card:
    sun = cards.window(gains, ["poa_global"], "valid_time", room, axis)
    measured = cards.window(history, ["air_temperature"], "timestamp", room, axis)
    before = measured[measured["timestamp"] < plan["valid_time"].min()]
    return cards.card(site, room, plan, sun, before, cards.window(people, cards.PEOPLE, "valid_time", room, axis), axis)


def _moment(local: datetime) -> str:
    return f"{day_words(local)} {local.year}, {local:%H:%M}"


def _forecast(site: Site, forecast: pd.DataFrame | None, as_of: datetime) -> str:
    """Where the forecast came from, and how old it was when the plan was made."""
    if forecast is None or forecast.empty:
        return "none"
    newest = forecast.sort_values("issued_at").iloc[-1]
    issued = newest["issued_at"].tz_convert(site.zone)
    hours = (as_of - issued).total_seconds() / 3600
    kind = "" if newest["kind"] == "forecast" else f" ({newest['kind']})"
    return f"{newest['source']}{kind}, issued {issued:%H:%M}, {hours:.1f} h old"
