"""Asset `shade_setpoint_schedule`: every window's plan from what was known at its end, and the newest one's page."""

import base64
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd

from esus_pipeline.archive import Archive, files
from esus_pipeline.control import Plan, PlanInputs, trace_frame
from esus_pipeline.control.course import commands_before, plan_days
from esus_pipeline.control.model.occupancy_table import occupancy_in_force
from esus_pipeline.control.stored import read_stored
from esus_pipeline.defs.common import now, window_asset
from esus_pipeline.defs.partitions import days, window_ends
from esus_pipeline.defs.prices import electricity_price
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.defs.weather import solar_gain, weather_forecast
from esus_pipeline.frames import SHADE_SETPOINT_SCHEDULE
from esus_pipeline.readings import room_frame
from esus_pipeline.report import plan_page, plan_plot
from esus_pipeline.site import Site

HISTORY = timedelta(hours=12)
"""Measured hours that the plan page shows before the plan."""


@window_asset(
    SHADE_SETPOINT_SCHEDULE,
    "control",
    {"parquet"},
    deps=[clean_series, weather_forecast, solar_gain, electricity_price],
)
def shade_setpoint_schedule(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource
) -> dg.MaterializeResult:
    """Plan every window of the range from what was known at its end and from how the plans before left the shades."""
    building, archive, started = site.load(), data.archive(), now()
    course = plan_days(building, archive, [window_ends(day) for day in days(context.partition_time_window)])
    if course.refused:
        context.log.error("%d plans are not stored: %s", len(course.refused), list(course.refused.values())[:5])
    plan = course.last
    newest = plan.schedule
    as_of = newest["issued_at"].iloc[0].to_pydatetime()
    inputs = read_stored(building, archive, [as_of]).inputs(as_of, commands_before(archive, as_of))
    if as_of not in course.refused:
        _publish_page(building, archive, data.plan_page, plan, inputs)
    context.add_asset_metadata(
        {"plan": dg.MetadataValue.md(_picture(plan_plot(building, newest, inputs.gains)))},
        partition_key=context.partition_keys[-1],
    )
    return dg.MaterializeResult(
        metadata={
            "rows": course.rows,
            "rooms": len(building.rooms),
            "why_now": dg.MetadataValue.md(_reasons(newest, trace_frame(plan.trace))),
            "optima": course.optima,
            "solver_seconds": course.solver_seconds,
            "rules": newest["rule"].value_counts().to_dict(),
            "shaded_share_of_plan": float(newest["shade_position"].mean()),
            "plan_page": str(data.plan_page),
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


def _reasons(plan: pd.DataFrame, trace: pd.DataFrame) -> str:
    """The reasons in force and what they won against, as a Markdown table."""
    now = plan[plan["valid_time"] == plan["issued_at"]].merge(trace, on="room")
    lines = [f"| {row.room} | {row.rule_y} | {row.reason} | {row.source} |" for row in now.itertuples()]
    return "\n".join(["| room | rule | reason | wish of |", "|---|---|---|---|", *lines])


def _publish_page(site: Site, archive: Archive, file: Path, plan: Plan, inputs: PlanInputs) -> None:
    """Write the page unless a newer plan is stored. Runs may do so at once: a page is whole, and the newest stays."""
    if inputs.as_of.date() < archive.days(SHADE_SETPOINT_SCHEDULE)[-1]:
        return
    history = archive.read(room_frame(site), inputs.as_of - HISTORY, inputs.as_of)
    trace = trace_frame(plan.trace)
    people = occupancy_in_force(archive, inputs.as_of)
    page = plan_page(site, plan.schedule, inputs.gains, inputs.forecast, history, trace, people).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(file):
        stored = archive.read(SHADE_SETPOINT_SCHEDULE, inputs.as_of, columns=["issued_at"])
        if stored["issued_at"].max() <= inputs.as_of:
            files.write(file, page)


def _picture(svg: str) -> str:
    return f"![plan](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
