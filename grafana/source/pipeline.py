"""Pipeline: whether the machinery runs: polls, deliveries, failures, and the age of what it made."""

from grafana_foundation_sdk.builders import stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.builders.dashboard import Dashboard, ThresholdsConfig
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode

from grafana.source.board import EACH, SITE, board, row, site
from grafana.source.panels import Influx, bars, color, lines, look, number, states, steps
from grafana.source.panels import words as mapped

HERE = f'FROM "pipeline" WHERE $timeFilter AND {SITE}'
WELL = "/^(current|silent_by_nature)$/"
SILENT = "No report of the pipeline in this time: is Dagster running, is InfluxDB reached? See docs/operating.md"
AGE = steps((None, "green"), (60, "orange"), (120, "red"))
PLAN_AGE = steps((None, "green"), (45, "orange"), (120, "red"))
BACKLOG = steps((None, "green"), (8, "orange"), (96, "red"))
FAILED = steps((None, "green"), (1, "red"))


def dashboard() -> Dashboard:
    """The Pipeline dashboard."""
    return board(
        "pipeline",
        "Pipeline",
        "Polls of the building, deliveries, failed runs, and how old readings and plan are.",
        ("now-24h", "now"),
        [site()],
        [
            row("Now"),
            *now(),
            row("Reading the building"),
            _poll_time(),
            _rows(),
            _heard(),
            _age(),
            _refused(),
            _source(),
            row("Planning and delivering"),
            _plan_age(),
            _backlog(),
            _failures(),
            _forecast_age(),
        ],
    )


def now() -> list[stat.Panel]:
    """The state of the pipeline in six numbers, of the last hour whatever time is chosen."""
    return [
        _now("Newest reading", "m", "newest_age_minutes", "Age of the newest reading of the building.", AGE),
        points(),
        _now("Plan", "m", "plan_age_minutes", "Age of the newest plan. A new one comes every 15 minutes.", PLAN_AGE),
        _now(
            "Waiting for delivery",
            "short",
            "delivery_backlog",
            "Materialised windows that InfluxDB does not have yet. It falls to 0 by itself once InfluxDB answers.",
            BACKLOG,
        ),
        _now("Poll", "s", "poll_seconds", "How long the newest poll of the building took.", _poll_steps()),
        number(
            "Failed runs, 24 h",
            "Runs of Dagster that failed in the last 24 hours. Open Dagster (link above), Runs, Failure: the first red "
            "line says what to do.",
            "short",
            SILENT,
            Influx(f'SELECT sum("failed_runs") {HERE}'),
        )
        .thresholds(FAILED)
        .time_from("24h"),
    ]


def points() -> stat.Panel:
    """How many points are well and how many are not."""
    newest = f"""SELECT last("state") AS "state" FROM "point_state" WHERE $timeFilter AND {SITE} GROUP BY "point_id\""""
    return (
        number(
            "Points",
            "Points of the building that are well (current, or silent by nature) and that are not (late, missing, "
            "never heard, stuck, implausible) by the newest judgement of the last hour. Data quality names them. A "
            "number that would be 0 is absent.",
            "short",
            "No point was judged in the last hour: is Dagster running, is InfluxDB reached? See docs/operating.md",
            Influx(f"""SELECT count("state") FROM ({newest}) WHERE "state" =~ {WELL}""", alias="well"),
            Influx(f"""SELECT count("state") FROM ({newest}) WHERE "state" !~ {WELL}""", alias="not well"),
        )
        .time_from("1h")
        .override_by_name("well", look(color("green")))
        .override_by_name("not well", look(color("orange")))
    )


def _now(title: str, unit: str, column: str, description: str, levels: ThresholdsConfig) -> stat.Panel:
    query = Influx(f'SELECT last("{column}") {HERE} {EACH}')
    return number(title, description, unit, SILENT, query).thresholds(levels).time_from("1h")


def _poll_steps() -> ThresholdsConfig:
    return steps((None, "green"), (300, "orange"), (840, "red"))


def _line(title: str, description: str, unit: str, column: str, levels: ThresholdsConfig) -> timeseries.Panel:
    style = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    query = Influx(f'SELECT max("{column}") AS "{title}" {HERE} {EACH} fill(null)')
    return lines(title, description, unit, SILENT, query).min(0).thresholds(levels).thresholds_style(style)


def _poll_time() -> timeseries.Panel:
    return _line(
        "Duration of the poll",
        "How long each poll of the building took. Above 14 minutes it runs into the next one: fewer points, or more "
        "connections (ESUS_BMS_CONNECTIONS), if the building's server bears them.",
        "s",
        "poll_seconds",
        _poll_steps(),
    )


def _rows() -> timeseries.Panel:
    return bars(
        "Readings stored",
        "New readings of each window, late ones included.",
        "short",
        SILENT,
        Influx(f'SELECT sum("rows") AS "Readings" {HERE} {EACH}'),
    )


def _heard() -> timeseries.Panel:
    query = f"""SELECT min("points_heard") AS "Heard", max("points_expected") AS "Expected" {HERE} {EACH} fill(null)"""
    return (
        lines(
            "Points heard",
            "Points from which something came with a stamp in each window, and points of the site. Most points report "
            "less often than every 15 minutes; what tells is a fall from the usual height.",
            "short",
            SILENT,
            Influx(query),
        )
        .min(0)
        .override_by_name("Heard", look(color("green"), ("custom.fillOpacity", 15)))
        .override_by_name("Expected", look(color("text")))
    )


def _age() -> timeseries.Panel:
    return _line(
        "Age of the newest reading",
        "How old the newest reading was at the end of each window. The building delivers up to 8 hours late at worst.",
        "m",
        "newest_age_minutes",
        AGE,
    )


def _refused() -> timeseries.Panel:
    query = f"""SELECT sum("late_readings") AS "Late", sum("rejected") AS "Refused" {HERE} {EACH}"""
    return (
        bars(
            "Late and refused readings",
            "Late: for windows that were already done, which are then computed again. Refused: records that could not "
            "be used; they are in the quarantine table with the reason (esus export quarantine).",
            "short",
            SILENT,
            Influx(query),
        )
        .override_by_name("Late", look(color("orange")))
        .override_by_name("Refused", look(color("red")))
    )


def _source() -> statetimeline.Panel:
    query = f"""SELECT last("source") AS "Source", last("kind") AS "Kind" FROM "weather_forecast"
        WHERE $timeFilter AND {SITE} {EACH}"""
    sources = {
        "open-meteo": ("Open-Meteo", "green"),
        "met-norway": ("MET Norway (stand-in)", "orange"),
        "forecast": ("forecast", "green"),
        "hindcast": ("hindcast: fetched afterwards", "orange"),
    }
    return states(
        "Forecast in force",
        "Who made the forecast that was in force, and whether it was known at the time.",
        "string",
        "No forecast in this time; see the log of weather_forecast in Dagster",
        Influx(query),
    ).mappings(mapped(sources))


def _plan_age() -> timeseries.Panel:
    return _line(
        "Age of the plan",
        "How old the newest plan was at the end of each window.",
        "m",
        "plan_age_minutes",
        PLAN_AGE,
    )


def _backlog() -> timeseries.Panel:
    return _line(
        "Waiting for delivery",
        "Materialised windows that InfluxDB did not have yet. A backfill makes a hill; a slope that only rises means "
        "that InfluxDB refuses or is away.",
        "short",
        "delivery_backlog",
        BACKLOG,
    )


def _failures() -> timeseries.Panel:
    return bars(
        "Failed runs",
        "Runs of Dagster that failed in each window.",
        "short",
        SILENT,
        Influx(f'SELECT sum("failed_runs") AS "Failed runs" {HERE} {EACH}'),
    ).override_by_name("Failed runs", look(color("red")))


def _forecast_age() -> timeseries.Panel:
    return lines(
        "Lead of the forecast in force",
        "How long before its time the forecast in force was issued. It steps down with every new forecast; a line that "
        "climbs by an hour an hour means that none has come.",
        "h",
        "No forecast in this time; see the log of weather_forecast in Dagster",
        Influx(f'SELECT mean("lead_hours") AS "Lead" FROM "weather_forecast" WHERE $timeFilter AND {SITE} {EACH}'),
    ).decimals(1)
