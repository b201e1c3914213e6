"""Data quality: which points are silent, late, stuck or absurd, since when, and what their readings are worth."""

from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.source.board import EACH, ROOM, SITE, board, point, room, row, site
from grafana.source.panels import (
    DASHED,
    TEXT,
    Influx,
    bars,
    cells,
    color,
    heat,
    lines,
    look,
    number,
    rows,
    states,
    steps,
    transform,
)
from grafana.source.panels import words as mapped
from grafana.source.pipeline import AGE, SILENT

STATES = {
    "current": ("current", "green"),
    "late": ("late", "yellow"),
    "missing": ("missing", "red"),
    "never_reported": ("never reported", "dark-red"),
    "stuck": ("stuck", "purple"),
    "implausible": ("implausible", "orange"),
    "silent_by_nature": ("silent by nature", "text"),
}
GAPS = {"late": STATES["late"], "missing": STATES["missing"], "healed": ("healed", "green")}
MOST_GAPS = 200
RESULTS = {"passed": ("passed", "green"), "failed": ("failed", "yellow"), "error": ("failed, grave", "red")}
COLUMNS = (
    "Controller",
    "Room",
    "Quantity",
    "Point",
    "State",
    "Since",
    "Newest reading",
    "Allowed silence",
    "Time",
)
UNWELL = "/^(late|missing|never_reported|stuck|implausible)$/"
UNJUDGED = "No judgement of the points in this time: is the asset influx_point_state materialised?"
HERE = f'FROM "point_state" WHERE $timeFilter AND {SITE}'
POINT = """"point_id" =~ /^${point:regex}$/"""


def dashboard() -> Dashboard:
    """The Data quality dashboard."""
    return board(
        "quality",
        "Data quality",
        "Which points are late, missing, stuck or implausible, since when; and which readings are flagged.",
        ("now-24h", "now"),
        [site(), room(), point()],
        [
            row("Now"),
            _unwell(),
            _newest(),
            _worst(),
            _checks(),
            row("Over time"),
            _by_state(),
            _ages(),
            _flags(),
            _readings(),
            _gaps(),
            row("Age by point, in the chosen rooms"),
            _age_by_point(),
            row("Point $point"),
            _one_point(),
            _one_state(),
            _one_age(),
        ],
    )


def _now(state: str) -> Influx:
    newest = f"""SELECT last("state") AS "state" {HERE} GROUP BY "point_id\""""
    return Influx(f"""SELECT count("state") FROM ({newest}) WHERE "state" = '{state}'""", alias=STATES[state][0])


def _then(state: str) -> Influx:
    query = f"""SELECT count("state_code") {HERE} AND "state" = '{state}' {EACH} fill(none)"""
    return Influx(query, alias=STATES[state][0])


def _unwell() -> stat.Panel:
    panel = number(
        "Points by state",
        "How many points are in each state by the newest judgement of the last hour; a state that no point is in is "
        "absent. Late: may still be delivered. Missing: final, older than 8.5 hours. Silent by nature: setpoints and "
        "switches, whose silence says nothing.",
        "short",
        UNJUDGED,
        *[_now(state) for state in STATES],
    )
    panel = panel.span(20).time_from("1h")
    for text, shade in STATES.values():
        panel = panel.override_by_name(text, look(color(shade)))
    return panel


def _newest() -> stat.Panel:
    return (
        number(
            "Newest reading",
            "Age of the newest reading of the whole building.",
            "m",
            SILENT,
            Influx(f'SELECT last("newest_age_minutes") FROM "pipeline" WHERE $timeFilter AND {SITE} {EACH}'),
        )
        .thresholds(AGE)
        .time_from("1h")
    )


def _worst() -> table.Panel:
    newest = f"""SELECT "controller" AS "Controller", "room" AS "Room", "quantity" AS "Quantity", "point_id" AS "Point",
        "state" AS "State", "since_ms" AS "Since", "age_minutes" AS "Newest reading",
        "bound_minutes" AS "Allowed silence" FROM
        (SELECT last("state") AS "state", "since_ms", "age_minutes", "bound_minutes" {HERE}
        GROUP BY "controller", "room", "quantity", "point_id") WHERE "state" =~ {UNWELL}"""
    look_closer = {"title": "Look at this point", "url": "/d/esus-quality?var-site=${site}&var-point=${__value.text}"}
    return (
        rows(
            "Points that are not well, and since when",
            "Every point that is late, missing, stuck, implausible or was never heard. 'Since' is its newest reading, "
            "or the first one that was stuck or implausible. Points of one controller that fail together point to the "
            "controller. Click a point to look at it below.",
            "m",
            "Every point is well, or none was judged in this time; 'Points by state' tells which",
            Influx(newest),
        )
        .with_transformation(
            transform(
                "organize",
                renameByName={"Time": "Judged"},
                indexByName={name: index for index, name in enumerate(COLUMNS)},
            )
        )
        .override_by_name("State", look(("mappings", mapped(STATES)), ("custom.cellOptions", {"type": "color-text"})))
        .override_by_regexp("/^(Judged|Since)$/", look(("unit", "dateTimeFromNow")))
        .override_by_name("Newest reading", look(("noValue", "never")))
        .override_by_name("Allowed silence", look(("noValue", "any")))
        .override_by_regexp("/^(Controller|Room|Quantity)$/", look(TEXT))
        .override_by_name("Point", look(TEXT, ("links", [look_closer])))
    )


def _checks() -> table.Panel:
    query = f"""SELECT "asset" AS "Asset", "check" AS "Check", "result" AS "Result", "summary" AS "What it found" FROM
        (SELECT last("result") AS "result", "summary" FROM "asset_check" WHERE $timeFilter AND {SITE}
        GROUP BY "asset", "check")"""
    return (
        rows(
            "Asset checks",
            "What the newest evaluation of every asset check found. Dagster's UI shows the worst points of a check, a "
            "plot and what to do, on the page of its asset, under Checks.",
            "string",
            "No check was evaluated in this time: is the asset influx_pipeline materialised?",
            Influx(query),
        )
        .with_transformation(
            transform(
                "organize",
                renameByName={"Time": "Judged"},
                indexByName={"Asset": 0, "Check": 1, "Result": 2, "What it found": 3, "Time": 4},
            )
        )
        .override_by_name("Judged", look(("unit", "dateTimeFromNow")))
        .override_by_name("Result", look(("mappings", mapped(RESULTS)), ("custom.cellOptions", {"type": "color-text"})))
    )


def _by_state() -> timeseries.Panel:
    panel = bars(
        "Points that are not well",
        "How many points were late, missing, never heard, stuck or implausible in each window.",
        "short",
        "No such point in this time, or none was judged; 'Points by state' tells which",
        *[_then(state) for state in STATES if state not in ("current", "silent_by_nature")],
    )
    for text, shade in STATES.values():
        panel = panel.override_by_name(text, look(color(shade)))
    return panel


def _ages() -> heatmap.Panel:
    query = f"""SELECT max("age_minutes") {HERE} AND "state" != 'silent_by_nature' AND "age_minutes" > 0
        {EACH}, "point_id\""""
    return heat(
        "Ages of the newest readings",
        "How many points had a newest reading of which age (minutes, each row twice the one below). A band that climbs "
        "is a group of points falling silent together. Points that are silent by nature are left out.",
        "m",
        UNJUDGED,
        Influx(query, alias="$tag_point_id"),
    ).height(8)


def _flags() -> timeseries.Panel:
    query = f"""SELECT count("value") FROM "clean_series" WHERE $timeFilter AND {SITE} AND "quality" != 'good'
        {EACH}, "quantity\""""
    return bars(
        "Flagged readings by quantity",
        "Readings that are stored but not used, because they are out of range or too fast, for example.",
        "short",
        "No reading was flagged in this time",
        Influx(query, alias="$tag_quantity"),
    )


def _readings() -> timeseries.Panel:
    query = f"""SELECT count("value") FROM "clean_series" WHERE $timeFilter AND {SITE} {EACH}, "room\""""
    return bars(
        "Readings by room",
        "How many readings each room gave; a room that thins out is losing points.",
        "short",
        "No reading in this time",
        Influx(query, alias="$tag_room"),
    )


def _gaps() -> table.Panel:
    query = f"""SELECT "controller" AS "Controller", "room" AS "Room", "quantity" AS "Quantity", "point_id" AS "Point",
        "state" AS "State", "minutes" AS "Length" FROM "gap" WHERE $timeFilter AND {SITE}
        ORDER BY time DESC LIMIT {MOST_GAPS}"""
    return (
        rows(
            "Gaps",
            "The ledger: silences that began in this time and were longer than is normal for their point, the newest "
            f"{MOST_GAPS}. Late: may still be delivered. Missing: lost. Healed: delivered after all.",
            "m",
            "No silence that began in this time was longer than is normal",
            Influx(query),
        )
        .with_transformation(
            transform(
                "organize",
                renameByName={"Time": "Silent since"},
                indexByName={name: index for index, name in enumerate((*COLUMNS[:5], "Time", "Length"))},
            )
        )
        .override_by_name("State", look(("mappings", mapped(GAPS)), ("custom.cellOptions", {"type": "color-text"})))
        .override_by_name("Silent since", look(("unit", "dateTimeAsLocal")))
        .override_by_name("Length", look(("noValue", "lasts")))
        .override_by_regexp("/^(Controller|Room|Quantity|Point)$/", look(TEXT))
    )


def _age_by_point() -> statushistory.Panel:
    query = f"""SELECT max("age_minutes") / max("bound_minutes") {HERE} AND {ROOM} AND
        "state" != 'silent_by_nature' {EACH}, "room", "quantity", "point_id\""""
    return (
        cells(
            "Age against allowed silence",
            "Age of each point's newest reading as a share of the silence that is normal for it. Green: heard. "
            "Yellow: nearly too long. Orange and red: too long.",
            "percentunit",
            UNJUDGED,
            Influx(query, alias="$tag_room $tag_quantity ($tag_point_id)"),
        )
        .decimals(0)
        .thresholds(steps((None, "green"), (0.8, "yellow"), (1, "orange"), (4, "red")))
    )


def _one_point() -> timeseries.Panel:
    query = f"""SELECT "value" FROM "clean_series" WHERE $timeFilter AND {SITE} AND {POINT}
        GROUP BY "room", "quantity\""""
    return lines(
        "Readings, as they came",
        "Every stored reading of the point at its own time, in the quantity's canonical unit.",
        "short",
        "No reading of this point in this time",
        Influx(query, alias="$tag_room $tag_quantity"),
    ).span(24)


def _one_state() -> statetimeline.Panel:
    return states(
        "State of the point",
        "What the point was believed to be in each window.",
        "string",
        UNJUDGED,
        Influx(f'SELECT last("state") {HERE} AND {POINT} {EACH}, "point_id"', alias="point $tag_point_id"),
    ).mappings(mapped(STATES))


def _one_age() -> timeseries.Panel:
    query = f"""SELECT max("age_minutes") AS "Newest reading", max("bound_minutes") AS "Allowed silence"
        {HERE} AND {POINT} {EACH} fill(null)"""
    return (
        lines(
            "Age of the point's newest reading",
            "How old the newest reading was, and how long a silence is normal for this point at this time.",
            "m",
            UNJUDGED,
            Influx(query),
        )
        .height(7)
        .min(0)
        .override_by_name("Allowed silence", look(color("text"), DASHED))
    )
