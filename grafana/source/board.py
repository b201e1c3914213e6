"""What all dashboards share: names, variables, links, refresh, and the conditions of their queries."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row, TimePicker
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.source.panels import SOURCE

TAG = "esus"
SITE = """"site" =~ /^${site:regex}$/"""
ROOM = """"room" =~ /^${room:regex}$/"""
ROOMS = """"room" != 'building'"""
BUILDING = """"room" = 'building'"""
EACH = "GROUP BY time($__interval)"
ALL = VariableOption(text=["All"], value=["$__all"], selected=True)


def _variable(name: str, label: str, description: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query({"query": query, "refId": "InfluxVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def site() -> QueryVariable:
    """The building; the first one is chosen by itself."""
    query = 'SHOW TAG VALUES FROM "room_table" WITH KEY = "site"'
    return _variable("site", "Building", "Which building to show.", query)


def room() -> QueryVariable:
    """Rooms of the building, several or all."""
    query = f'SHOW TAG VALUES FROM "room_table" WITH KEY = "room" WHERE {SITE} AND {ROOMS}'
    variable = _variable("room", "Room", "Which rooms to show; parts of the page repeat for each.", query)
    return variable.multi(True).include_all(True).current(ALL)


def point() -> QueryVariable:
    """One point of the building's system, by its id."""
    query = f'SHOW TAG VALUES FROM "clean_series" WITH KEY = "point_id" WHERE {SITE}'
    return _variable("point", "Point", "The point that the last part of the page looks at.", query)


def row(title: str, repeat: str | None = None) -> Row:
    """A heading that folds; with `repeat` it and what follows come once per value of that variable."""
    heading = Row(title)
    return heading.repeat(repeat) if repeat else heading


def board(
    name: str,
    title: str,
    description: str,
    span: tuple[str, str],
    variables: Sequence[QueryVariable],
    parts: Sequence[Row | Builder[Panel]],
) -> Dashboard:
    """A dashboard in the viewer's own time zone that links to all the others."""
    made = (
        Dashboard(title)
        .uid(f"esus-{name}")
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .week_start("monday")
        .refresh("5m")
        .time(*span)
        .timepicker(TimePicker().refresh_intervals(["1m", "5m", "15m", "1h"]))
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .links(_links())
    )
    for part in parts:
        made = made.with_row(part) if isinstance(part, Row) else made.with_panel(part)
    return made


def _links() -> list[DashboardLink]:
    boards = DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True)
    plan = DashboardLink("Plan page").type(DashboardLinkType.LINK).url("/plan/").icon("doc")
    runs = DashboardLink("Dagster").type(DashboardLinkType.LINK).url("/dagster/").icon("cloud")
    plan = plan.tooltip("The newest plan with its reasons, as a page").target_blank(True)
    runs = runs.tooltip("Runs, assets and checks of the pipeline").target_blank(True)
    return [boards, plan, runs]
