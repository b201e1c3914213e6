"""Plan: what shades and setpoints are to do and why, against what happened."""

from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.source.board import BUILDING, EACH, ROOM, SITE, board, room, row, site
from grafana.source.panels import DASHED, RIGHT, STEPPED, TEXT, Influx, between, color, lines, look, rows, states
from grafana.source.panels import words as mapped
from grafana.source.rooms import temperature

PLAN = f'FROM "shade_setpoint_schedule" WHERE $timeFilter AND {SITE} AND {ROOM}'
CENTRAL = f'FROM "room_table" WHERE $timeFilter AND {SITE} AND {BUILDING} {EACH} fill(null)'
SHADE = [
    between(0, 0.01, "open", "yellow"),
    between(0.01, 0.99, None, "light-blue"),
    between(0.99, 1, "closed", "dark-blue"),
]
SAFETY = "red"
RULES = {
    "no_shade": ("no shade", "text"),
    "wind": ("wind: open", SAFETY),
    "missing_forecast": ("no forecast: open", SAFETY),
    "stale_forecast": ("old forecast: open", SAFETY),
    "missing_wind": ("no wind: open", SAFETY),
    "missing_gains": ("no sun estimate: open", SAFETY),
    "missing_temperature": ("no temperature: open", SAFETY),
    "wind_unknown": ("wind unknown: not lowered", "orange"),
    "protected": ("wind protection: open", SAFETY),
    "manual": ("moved by hand", "purple"),
    "glare": ("closed against glare", "light-purple"),
    "shade_for_comfort": ("closed for comfort", "dark-blue"),
    "shade_for_cost": ("closed for cost", "blue"),
    "close_before_sun": ("closed before the sun", "dark-blue"),
    "close_when_warm": ("closed when warm", "blue"),
    "hold": ("held", "text"),
    "open_for_gain": ("open for heat", "orange"),
    "open_for_view": ("open for daylight", "light-green"),
    "open_no_sun": ("no sun", "super-light-yellow"),
}
"""The rules of esus_pipeline.control.rules in a few words; what is not listed shows as it is."""


def dashboard() -> Dashboard:
    """The Plan dashboard."""
    return board(
        "plan",
        "Plan",
        "Shades and setpoints of the last hours and the next 36, why, and what happened.",
        ("now-12h", "now+36h"),
        [site(), room()],
        [
            row("Shades"),
            _planned(),
            _happened(),
            _baseline(),
            _rules(),
            row("Room $room", repeat="room"),
            temperature(),
            _sun_in_room(),
            row("Sun and wind"),
            _facades(),
            wind(),
            row("Reasons"),
            _coming(),
            _past(),
            row("Savings"),
            _savings(),
        ],
    )


def _planned() -> statetimeline.Panel:
    return states(
        "Shades as planned",
        "What the plan wants of every room's shade: open (up, glass free) or closed (down). Right of now is the "
        "future.",
        "percentunit",
        "No plan for these rooms in this time; see the Pipeline dashboard",
        Influx(f'SELECT last("shade_position") {PLAN} {EACH}, "room"', alias="$tag_room"),
    ).mappings(SHADE)


def _happened() -> statetimeline.Panel:
    query = f"""SELECT max("blind_motor_east") AS "Shades east", max("blind_motor_south") AS "Shades south",
        min("shading_released") AS "Free to move" {CENTRAL}"""
    shades = mapped({"0": ("open", "yellow"), "1": ("closed", "dark-blue")})
    free = mapped({"0": ("blocked by wind", "red"), "1": ("free", "green")})
    return (
        states(
            "Shades as they were",
            "What the building's shading controller did with the shades of each facade, and whether the wind let them "
            "move at all.",
            "none",
            "This building reports no shade positions, or nothing came in this time",
            Influx(query),
        )
        .mappings(shades)
        .override_by_name("Free to move", look(("mappings", free)))
    )


def _baseline() -> statetimeline.Panel:
    return states(
        "Shades by the building's own rule",
        "What the sun-sensor rule of today's controller would do on the same forecast. Where it differs from the plan, "
        "the plan changes something.",
        "percentunit",
        "No plan for these rooms in this time; see the Pipeline dashboard",
        Influx(f'SELECT last("baseline_shade_position") {PLAN} {EACH}, "room"', alias="$tag_room"),
    ).mappings(SHADE)


def _rules() -> statetimeline.Panel:
    return states(
        "Why",
        "The rule that decided for each room. Red: a safety rule, shades open whatever else is wanted. The sentences "
        "are at the foot of the page.",
        "string",
        "No plan for these rooms in this time; see the Pipeline dashboard",
        Influx(f'SELECT last("rule") {PLAN} {EACH}, "room"', alias="$tag_room"),
    ).mappings(mapped(RULES))


def _sun_in_room() -> timeseries.Panel:
    query = f"""SELECT mean("gain_open") AS "Gain, shade open", mean("gain_shaded") AS "Gain, shade closed",
        mean("poa_global") AS "Sun on the glass" FROM "solar_gain" WHERE $timeFilter AND {SITE} AND {ROOM}
        {EACH} fill(null)"""
    return (
        lines(
            "Sun through the windows",
            "Solar heat gain of the room with its shade open and closed (W), and the irradiance on its windows (right "
            "axis, W/m2), estimated from forecast and facade sensors.",
            "watt",
            "No estimate of the sun for this room in this time",
            Influx(query),
        )
        .min(0)
        .override_by_name("Gain, shade open", look(color("orange"), ("custom.fillOpacity", 10)))
        .override_by_name("Gain, shade closed", look(color("blue"), ("custom.fillOpacity", 10)))
        .override_by_name("Sun on the glass", look(color("yellow"), DASHED, RIGHT, ("unit", "Wm2")))
    )


def _facades() -> timeseries.Panel:
    measured = ", ".join(f'mean("solar_intensity_{name}") AS "{name} measured"' for name in ("east", "south", "west"))
    expected = f"""SELECT mean("poa_global") FROM "solar_gain" WHERE $timeFilter AND {SITE} AND {ROOM}
        {EACH}, "room" fill(null)"""
    return (
        lines(
            "Sun on the facades",
            "The building's facade sensors (taken as W/m2; esus doctor says where a unit is assumed), and the expected "
            "irradiance on the windows of each room (dashed).",
            "Wm2",
            "No facade sensor and no estimate in this time",
            Influx(f"SELECT {measured} {CENTRAL}"),
            Influx(expected, alias="room $tag_room expected"),
        )
        .min(0)
        .override_by_regexp("/expected$/", look(DASHED))
    )


def wind() -> timeseries.Panel:
    """Wind measured and forecast, and the limits of the shading controller."""
    measured = f"""SELECT mean("wind_speed") AS "Measured", last("wind_block_limit") AS "Blocked above",
        last("wind_release_limit") AS "Free again below" {CENTRAL}"""
    forecast = f"""SELECT mean("wind_speed") AS "Forecast", max("wind_gust") AS "Forecast gusts" FROM "weather_forecast"
        WHERE $timeFilter AND {SITE} {EACH} fill(null)"""
    return (
        lines(
            "Wind",
            "Wind at the building and in the forecast. Above the red limit the controller opens the shades and blocks "
            "them until the wind stays below the green one.",
            "velocityms",
            "No wind sensor and no forecast in this time",
            Influx(measured),
            Influx(forecast),
        )
        .min(0)
        .override_by_name("Measured", look(color("text"), ("custom.lineWidth", 2.5)))
        .override_by_name("Blocked above", look(color("red"), STEPPED))
        .override_by_name("Free again below", look(color("green"), STEPPED))
        .override_by_name("Forecast", look(color("blue"), DASHED))
        .override_by_name("Forecast gusts", look(color("purple"), DASHED))
    )


def _coming() -> table.Panel:
    return _reasons("What comes, and why", "Every step of the newest plan from now on.", "time > now() - 15m")


def _past() -> table.Panel:
    when = "time <= now() - 15m ORDER BY time DESC"
    return _reasons("What was, and why", "The plan that was in force for every step, the latest first.", when)


def _reasons(title: str, description: str, when: str) -> table.Panel:
    columns = """"shade_position" AS "Shade", "heating_setpoint" AS "Heat below", "cooling_setpoint" AS "Cool above",
        "predicted_temperature" AS "Expected", "lead_hours" AS "Planned ahead", "rule" AS "Rule", "reason" AS "Why\""""
    query = f'SELECT "room" AS "Room", {columns} {PLAN} AND {when} LIMIT 2000'
    return (
        rows(
            title,
            f"{description} Click a heading to sort, the funnel beside it to filter.",
            "celsius",
            "No plan for these rooms in this time; see the Pipeline dashboard",
            Influx(query),
        )
        .height(10)
        .decimals(1)
        .override_by_name("Time", look(("unit", "dateTimeAsIso"), ("custom.width", 170)))
        .override_by_name("Room", look(TEXT, ("custom.width", 90)))
        .override_by_name("Shade", look(("unit", "percentunit"), ("mappings", SHADE), ("custom.width", 90)))
        .override_by_name("Planned ahead", look(("unit", "h"), ("custom.width", 130)))
        .override_by_name("Rule", look(("mappings", mapped(RULES)), ("custom.width", 190)))
        .override_by_name("Why", look(("custom.minWidth", 400)))
    )


def _savings() -> table.Panel:
    columns = """sum("saving") AS "Saving", sum("plan_cost") AS "Cost with the plan",
        sum("baseline_cost") AS "Cost without the plan", sum("measured_cost") AS "Cost as measured",
        count("saving") AS "Rooms that count\""""
    query = f"""SELECT {columns} FROM "savings" WHERE time > now() - 35d AND {SITE} AND {ROOM} AND
        ("outcome" = 'advice' OR "outcome" = 'carried_out') GROUP BY time(1d) fill(none)"""
    return (
        rows(
            "What the plan saved, by day",
            "Computed with the rooms' models against the rule that the building runs without the plan, in the site's "
            "currency; the sum over days, its interval and whether it is evidence are told by esus savings.",
            "none",
            "No judged day counts yet; esus savings says why",
            Influx(query),
        )
        .height(8)
        .decimals(2)
        .override_by_name("Time", look(("unit", "dateTimeAsIso"), ("custom.width", 170)))
        .override_by_name("Rooms that count", look(("decimals", 0)))
    )
