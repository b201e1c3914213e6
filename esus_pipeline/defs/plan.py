"""Asset `shade_setpoint_schedule`: every window's plan from what was known at its end, and the newest one's page."""

import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
from dagster import TimeWindow

from esus_pipeline.archive import Archive, files
from esus_pipeline.control import Optimum, Plan, PlanInputs, Planner, overrides, shade_states, trace_frame
from esus_pipeline.control.inputs import RoomState
from esus_pipeline.control.model.ahead import Rooms, rooms_of_days
from esus_pipeline.control.model.now import Now
from esus_pipeline.defs.common import now, window_asset
from esus_pipeline.defs.guard import refused_plans
from esus_pipeline.defs.partitions import days, window_ends
from esus_pipeline.defs.prices import electricity_price, stored_prices
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.defs.weather import solar_gain, stored_forecasts, stored_gains, weather_forecast
from esus_pipeline.frames import (
    BUILDING,
    CLEAN_SERIES,
    DECISION_TRACE,
    OPTIMAL_PLAN,
    OVERRIDE_RELEASE,
    SHADE_SETPOINT_SCHEDULE,
    STEP,
)
from esus_pipeline.prices import known_prices
from esus_pipeline.readings import room_frame
from esus_pipeline.report import plan_page, plan_plot
from esus_pipeline.site import Site
from esus_pipeline.solar import Estimates
from esus_pipeline.weather import Issues, steering_age

COMMAND_MEMORY = timedelta(hours=24)
"""How far back earlier plans are read to know what the shades were told."""

HISTORY = timedelta(hours=12)
"""Measured hours that the plan page shows before the plan."""

WIND_LOOK_BACK = timedelta(hours=1)

WIND_MEMORY = timedelta(hours=6)
"""How far back a strong wind is remembered."""

OVERRIDE_LOOK_BACK = timedelta(hours=25)
"""How far back a hand on a shade is looked for; longer than a site may hold it."""

_COMMAND = ["issued_at", "room", "valid_time", "shade_position", "rule"]


@dataclass(frozen=True)
class _Known:
    """Stored rows that the plans of one day draw on."""

    site: Site
    issues: Issues
    gains: Estimates
    rooms: pd.DataFrame
    """Rows of the room table, by ascending timestamp."""
    wind_stamps: pd.Series
    prices: pd.DataFrame
    releases: pd.DataFrame

    def _released(self, as_of: datetime) -> dict[str, datetime]:
        """When each room's override was last ended by somebody."""
        if self.releases.empty:
            return {}
        known = self.releases[self.releases["released_at"] <= as_of]
        return {str(room): at.to_pydatetime() for room, at in known.groupby("room")["released_at"].max().items()}

    def _past_wind(self, as_of: datetime) -> "pd.Series[float]":
        """What the building's own sensor read in the hours before `as_of`, by start of the window."""
        return self._wind.loc[as_of - WIND_MEMORY : as_of - STEP]

    @cached_property
    def _wind(self) -> "pd.Series[float]":
        quantity = self.site.wind.quantity
        rows = self.rooms[self.rooms["room"] == BUILDING].set_index("timestamp")
        return rows[quantity] if quantity in rows else pd.Series(dtype=float, index=rows.index)

    @cached_property
    def _times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.rooms["timestamp"])

    def inputs(self, as_of: datetime, commanded: pd.DataFrame, now: Now | None = None) -> PlanInputs:
        """What a plan issued at `as_of` may use, after the commands of the plans before it.

        `now` is what is known of the rooms, for a plan that makes a new optimum; without it, prices are left out too.
        """
        known = now or Now()
        newest, end = self._times.searchsorted([pd.Timestamp(as_of - STEP), pd.Timestamp(as_of)])
        stamps = self.wind_stamps[self.wind_stamps < as_of]
        forecast = self.issues.known_at(as_of)
        return PlanInputs(
            site=self.site,
            as_of=as_of,
            forecast=forecast,
            forecast_age=steering_age(forecast, as_of),
            gains=self.gains.known_at(as_of),
            rooms=self.rooms.iloc[newest:end],
            wind_age=as_of - stamps.max() if len(stamps) else None,
            past_wind=self._past_wind(as_of),
            prices=known_prices(self.site, self.prices, as_of) if now else None,
            shades=shade_states(commanded, as_of, self.site.zone),
            overrides=overrides(self.site, commanded, self.rooms.iloc[:end], as_of, self._released(as_of)),
            models=known.models,
            states={
                room: RoomState(float(state.x[0]), float(state.x[1]), float(state.disturbance))
                for room, state in known.states.items()
            },
            people=known.people,
        )


@window_asset(
    SHADE_SETPOINT_SCHEDULE,
    "control",
    {"parquet"},
    deps=[clean_series, weather_forecast, solar_gain, electricity_price],
)
def shade_setpoint_schedule(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource
) -> dg.MaterializeResult:
    """Plan every window of the range, oldest first, because a plan keeps the shades still that it finds."""
    building, archive, started = site.load(), data.archive(), now()
    rows, solving, optima = 0, 0.0, 0
    spans = list(days(context.partition_time_window))
    told = rooms_of_days(building, archive, [window_ends(span) for span in spans])
    with ThreadPoolExecutor(os.cpu_count()) as pool, closing(told):
        planner = Planner(_last_optimum(building, archive, context.partition_time_window.start + STEP), pool)
        for day, rooms_at in zip(spans, told, strict=True):
            made = list(_plans(building, archive, day, planner, rooms_at))
            plans = pa.concat_tables([step.plan.table for step in made]).to_pandas()
            issues = Issues(stored_forecasts(archive, window_ends(day)))
            refused = refused_plans(context, building, archive, plans, issues, window_ends(day))
            _store(building, archive, day, made, plans[~plans["issued_at"].isin(list(refused))])
            rows += len(plans)
            optima += sum(step.optimum is not None for step in made)
            solving += sum(step.optimum.seconds for step in made if step.optimum is not None)
    plan = made[-1].plan
    newest = plan.schedule
    as_of = newest["issued_at"].iloc[0].to_pydatetime()
    known = _known(building, archive, TimeWindow(as_of - STEP, as_of))
    inputs = known.inputs(as_of, _commands_before(archive, as_of))
    if as_of not in refused:
        _publish_page(building, archive, data.plan_page, plan, inputs)
    context.add_asset_metadata(
        {"plan": dg.MetadataValue.md(_picture(plan_plot(building, newest, inputs.gains)))},
        partition_key=context.partition_keys[-1],
    )
    return dg.MaterializeResult(
        metadata={
            "rows": rows,
            "rooms": len(building.rooms),
            "why_now": dg.MetadataValue.md(_reasons(newest, trace_frame(plan.trace))),
            "optima": optima,
            "solver_seconds": solving,
            "rules": newest["rule"].value_counts().to_dict(),
            "shaded_share_of_plan": float(newest["shade_position"].mean()),
            "plan_page": str(data.plan_page),
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


@dataclass(frozen=True)
class _Made:
    """One window's plan, and the optimum where a new one was made for it."""

    plan: Plan
    optimum: Optimum | None


def _plans(site: Site, archive: Archive, day: TimeWindow, planner: Planner, rooms_at: Rooms) -> Iterator[_Made]:
    known = _known(site, archive, day)
    commanded = _commands_before(archive, day.start + STEP)
    for as_of in window_ends(day):
        now = rooms_at(as_of) if planner.due(as_of) else None
        plan = planner.plan(known.inputs(as_of, commanded, now))
        kept = pd.DatetimeIndex(commanded["valid_time"]).searchsorted(pd.Timestamp(as_of - COMMAND_MEMORY), "right")
        commanded = pd.concat([commanded.iloc[kept:], plan.in_force(_COMMAND)])
        yield _Made(plan, planner.optimum if planner.renewed else None)


def _store(site: Site, archive: Archive, day: TimeWindow, made: list[_Made], good: pd.DataFrame) -> None:
    """The day's good plans, and the traces and optima of all, in place of what was there of these windows."""
    span = day.start + STEP, day.end + STEP
    optima = [step.optimum.to_frame(site.room_ids) for step in made if step.optimum is not None]
    tables = {
        OPTIMAL_PLAN: pd.concat([OPTIMAL_PLAN.empty(), *optima], ignore_index=True) if optima else OPTIMAL_PLAN.empty(),
        DECISION_TRACE: trace_frame([row for step in made for row in step.plan.trace]),
        SHADE_SETPOINT_SCHEDULE: good,
    }
    for frame, rows in tables.items():
        archive.replace(frame, rows, *span)


def _last_optimum(site: Site, archive: Archive, first: datetime) -> Optimum | None:
    """The newest stored optimum before `first` that a plan of that clock hour may follow."""
    stored = archive.read(OPTIMAL_PLAN, first.replace(minute=0), first)
    return Optimum.from_frame(stored, site.room_ids)


def _reasons(plan: pd.DataFrame, trace: pd.DataFrame) -> str:
    """The reasons in force and what they won against, as a Markdown table."""
    now = plan[plan["valid_time"] == plan["issued_at"]].merge(trace, on="room")
    lines = [f"| {row.room} | {row.rule_y} | {row.reason} | {row.source} |" for row in now.itertuples()]
    return "\n".join(["| room | rule | reason | wish of |", "|---|---|---|---|", *lines])


def _known(site: Site, archive: Archive, day: TimeWindow) -> _Known:
    ends = window_ends(day)
    wind = archive.read(
        CLEAN_SERIES,
        day.start - WIND_LOOK_BACK,
        day.end,
        columns=["timestamp"],
        quantity=[site.wind.quantity],
        quality=["good"],
    )
    rooms = archive.read(room_frame(site), day.start - OVERRIDE_LOOK_BACK, day.end)
    return _Known(
        site=site,
        issues=Issues(stored_forecasts(archive, ends)),
        gains=Estimates(stored_gains(archive, ends)),
        rooms=rooms.sort_values("timestamp", kind="stable", ignore_index=True),
        wind_stamps=wind["timestamp"],
        prices=stored_prices(archive, ends),
        releases=archive.read(OVERRIDE_RELEASE, day.start - OVERRIDE_LOOK_BACK, day.end + STEP),
    )


def _commands_before(archive: Archive, first: datetime) -> pd.DataFrame:
    """What the plans before `first` told the shades at the moment that they were issued."""
    plans = archive.read(SHADE_SETPOINT_SCHEDULE, first - COMMAND_MEMORY, first, columns=_COMMAND)
    return plans[plans["valid_time"] == plans["issued_at"]]


def _publish_page(site: Site, archive: Archive, file: Path, plan: Plan, inputs: PlanInputs) -> None:
    """Write the page unless a newer plan is stored. Runs may do so at once: a page is whole, and the newest stays."""
    if inputs.as_of.date() < archive.days(SHADE_SETPOINT_SCHEDULE)[-1]:
        return
    history = archive.read(room_frame(site), inputs.as_of - HISTORY, inputs.as_of)
    trace = trace_frame(plan.trace)
    page = plan_page(site, plan.schedule, inputs.gains, inputs.forecast, history, trace).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(file):
        stored = archive.read(SHADE_SETPOINT_SCHEDULE, inputs.as_of, columns=["issued_at"])
        if stored["issued_at"].max() <= inputs.as_of:
            files.write(file, page)


def _picture(svg: str) -> str:
    return f"![plan](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
