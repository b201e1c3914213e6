"""The plan in words for a terminal of 80 columns."""

import textwrap
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.report.stretches import (
    Stretch,
    day_words,
    facade_words,
    hours_words,
    room_rows,
    setpoint_words,
    stretches,
)
from esus_pipeline.report.trace import Read, Trace, traces
from esus_pipeline.site import Site

WIDTH = 79
EVENING = 18
"""Local hour from which tomorrow is told as well."""


def plan_words(site: Site, plan: pd.DataFrame, as_of: datetime, trace: pd.DataFrame | None = None) -> str:
    """Today's plan and why: per room the shade's stretches with local times, then the setpoints, then the decisions.

    Args:
        site: the building.
        plan: one issue of frames.SHADE_SETPOINT_SCHEDULE.
        as_of: from when on it is told, with a zone; until local midnight, in the evening until the next one.
        trace: rows of frames.DECISION_TRACE of the plan, where they are to be told.

    Returns:
        Lines of at most 79 characters, ending with a line break.
    """
    local = as_of.astimezone(site.zone)
    days = 2 if local.hour >= EVENING else 1
    end = (local + timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    title = f"{site.title}: shades and setpoints from {day_words(local)} {local.year}, {local:%H:%M}"
    lines = [*textwrap.wrap(title, WIDTH), f"Times in {site.place.timezone}.", ""]
    within = plan[(plan["valid_time"] >= pd.Timestamp(as_of)) & (plan["valid_time"] < pd.Timestamp(end))]
    if within.empty:
        return "\n".join([*lines, "No plan covers this time.", ""])
    for room in site.room_ids:
        lines += [*_room(site, room, room_rows(within, room)), ""]
    lines += [*_setpoints(site, within), ""]
    for room, decision in traces(site, trace).items():
        lines += [f"{room}: how the shade was decided when the plan was made", *_decision(decision), ""]
    return "\n".join(lines)


def _room(site: Site, room: str, rows: pd.DataFrame) -> list[str]:
    head = f"{room} ({facade_words(site, room)})"
    if rows.empty:
        return [head, "  no plan for this room"]
    warmest = rows["predicted_temperature"].max()
    expected = "no temperature expected" if pd.isna(warmest) else f"{warmest:.1f} degC at most"
    lines = textwrap.wrap(f"{head}, {expected}", WIDTH)
    day = None
    for stretch in stretches(rows, site):
        if stretch.start.date() != day and day is not None:
            lines.append(f"  {day_words(stretch.start)}")
        day = stretch.start.date()
        lines += _stretch(stretch)
    return lines


def _stretch(stretch: Stretch) -> list[str]:
    label = f"  {stretch.hours}  {stretch.state:<6}  "
    return textwrap.wrap(
        stretch.reason.removeprefix("open: "), WIDTH, initial_indent=label, subsequent_indent=" " * len(label)
    )


def _decision(trace: Trace) -> list[str]:
    asked = [f"{'won' if each.won else 'lost'} {each.rule.replace('_', ' ')}: {each.wish}" for each in trace.asked]
    facts = "; ".join(f"{name} {value}" for name, value in trace.facts)
    lines = [*asked, facts, "; ".join(map(_input, trace.inputs))]
    return [
        part for line in lines for part in textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")
    ]


def _input(read: Read) -> str:
    known = [f"{read.age} old" if read.age else "", read.instead]
    told = ", ".join(part for part in known if part)
    return f"{read.name} {read.value}" + (f" ({told})" if told else "")


def _setpoints(site: Site, plan: pd.DataFrame) -> list[str]:
    """The plateaus of the setpoints, and why those now, told once for all rooms that share them."""
    told: dict[tuple[str, str], list[str]] = {}
    for room in site.room_ids:
        rows = room_rows(plan, room)
        told.setdefault((_plateaus(site, rows), setpoint_words(rows)), []).append(room)
    lines = ["Setpoints, degC (heat below .. cool above), with ramps between:"]
    for (text, why), rooms in told.items():
        names = "all rooms" if len(told) == 1 else ", ".join(rooms)
        lines += textwrap.wrap(f"{names}: {text}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        lines += textwrap.wrap(f"now {why}" if why else "", WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _plateaus(site: Site, rows: pd.DataFrame) -> str:
    pair = rows[["heating_setpoint", "cooling_setpoint"]].round(2)
    spans = rows.assign(end=rows["valid_time"] + STEP).groupby((pair != pair.shift()).any(axis=1).cumsum())
    texts = []
    for _, span in spans:
        if len(span) > 1:
            start, end = span["valid_time"].iloc[0].tz_convert(site.zone), span["end"].iloc[-1].tz_convert(site.zone)
            low, high = span["heating_setpoint"].iloc[0], span["cooling_setpoint"].iloc[0]
            texts.append(f"{hours_words(start, end)} {low:.1f} .. {high:.1f}")
    return "; ".join(texts) or "changing all the time"
