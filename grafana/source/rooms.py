"""Rooms: how it is in each room, against what is wanted."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode

from grafana.source.board import EACH, ROOM, SITE, board, room, row, site
from grafana.source.panels import DASHED, RIGHT, STEPPED, Influx, between, color, lines, look, states, steps, words

HERE = f"$timeFilter AND {SITE} AND {ROOM}"
MEASURED = f'FROM "room_table" WHERE {HERE} {EACH} fill(null)'
PLANNED = f'FROM "shade_setpoint_schedule" WHERE {HERE} {EACH} fill(null)'
SEVERAL = f'FROM "room_table" WHERE {HERE} {EACH}, "room" fill(null)'


def dashboard() -> Dashboard:
    """The Rooms dashboard."""
    return board(
        "rooms",
        "Rooms",
        "Temperature, air, people, windows and light of every room, against comfort band and setpoints.",
        ("now-24h", "now"),
        [site(), room()],
        [
            row("The chosen rooms beside each other"),
            _compare("Temperature", "celsius", "air_temperature", "Air temperature of the chosen rooms."),
            _compare("CO2", "ppm", "co2", "Carbon dioxide in the air of the chosen rooms."),
            row("Room $room", repeat="room"),
            temperature(),
            _co2(),
            _valve_and_damper().span(8),
            _people_and_windows().span(8).height(8),
            _light().span(8),
        ],
    )


def _compare(title: str, unit: str, column: str, description: str) -> timeseries.Panel:
    query = Influx(f'SELECT mean("{column}") {SEVERAL}', alias="$tag_room")
    return lines(title, description, unit, f"No {title} from these rooms in this time", query)


def temperature() -> timeseries.Panel:
    """Measured and expected temperature, the planned band, and the setpoints in force in the building."""
    measured = f"""SELECT mean("air_temperature") AS "Measured",
        last("heating_setpoint") AS "Heating setpoint in force",
        last("cooling_setpoint") AS "Cooling setpoint in force" {MEASURED}"""
    planned = f"""SELECT mean("heating_setpoint") AS "Band from", mean("cooling_setpoint") AS "Band to",
        mean("predicted_temperature") AS "Expected by the plan" {PLANNED}"""
    return (
        lines(
            "Temperature",
            "Air temperature (white). Shaded: the comfort band that the plan wants at that time, wider while the room "
            "is not in use. Dashed: the setpoints that the building's own controller has in force. Dotted violet, "
            "right of now: the temperature that the plan expects.",
            "celsius",
            "No temperature and no plan for this room in this time",
            Influx(measured),
            Influx(planned),
        )
        .axis_soft_min(18)
        .axis_soft_max(27)
        .decimals(1)
        .override_by_name("Measured", look(color("text"), ("custom.lineWidth", 2.5)))
        .override_by_name("Heating setpoint in force", look(color("orange"), DASHED, STEPPED))
        .override_by_name("Cooling setpoint in force", look(color("blue"), DASHED, STEPPED))
        .override_by_name("Band from", look(color("green"), ("custom.lineWidth", 0)))
        .override_by_name(
            "Band to",
            look(
                color("green"),
                ("custom.lineWidth", 0),
                ("custom.fillBelowTo", "Band from"),
                ("custom.fillOpacity", 12),
            ),
        )
        .override_by_name(
            "Expected by the plan", look(color("purple"), ("custom.lineStyle", {"fill": "dot", "dash": [2, 6]}))
        )
    )


def _co2() -> timeseries.Panel:
    return (
        lines(
            "CO2",
            "Carbon dioxide. The lines are categories I, II and III of EN 16798-1 (550, 800 and 1350 ppm above "
            "outdoors, taken as 400 ppm). Above 1200 ppm the room wants more air.",
            "ppm",
            "No CO2 sensor in this room, or nothing from it in this time",
            Influx(f'SELECT mean("co2") AS "CO2" {MEASURED}'),
        )
        .axis_soft_min(400)
        .axis_soft_max(1400)
        .thresholds(steps((None, "green"), (950, "yellow"), (1200, "orange"), (1750, "red")))
        .thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    )


def _valve_and_damper() -> timeseries.Panel:
    query = f'SELECT mean("radiator_valve") AS "Radiator valve", mean("damper_position") AS "Air damper" {MEASURED}'
    return (
        lines(
            "Radiator valve and air damper",
            "How far the radiator valve and the ventilation damper are open. Both open at once, or a valve open while "
            "a window is, is money lost.",
            "percent",
            "No valve and no damper in this room, or nothing from them in this time",
            Influx(query),
        )
        .min(0)
        .max(100)
        .fill_opacity(10)
        .override_by_name("Radiator valve", look(color("orange")))
        .override_by_name("Air damper", look(color("blue")))
    )


def _people_and_windows() -> object:
    query = f"""SELECT max("occupancy") AS "People", max("window_open") AS "Window", max("light_on") AS "Light"
        {MEASURED}"""
    people = [between(0, 0.001, "empty", "transparent"), between(0.001, 1, "occupied", "purple")]
    window = words({"0": ("closed", "transparent"), "1": ("open", "blue")})
    light = words({"0": ("off", "transparent"), "1": ("on", "yellow")})
    return (
        states(
            "People, window and light",
            "Whether anyone moved in the room, a window was open or the light was on at any time of each step.",
            "none",
            "No motion sensor, window contact or light in this room, or nothing from them in this time",
            Influx(query),
        )
        .override_by_name("People", look(("mappings", people)))
        .override_by_name("Window", look(("mappings", window)))
        .override_by_name("Light", look(("mappings", light)))
    )


def _light() -> timeseries.Panel:
    query = f'SELECT mean("illuminance") AS "Illuminance", mean("light_level") AS "Lamps" {MEASURED}'
    return (
        lines(
            "Light",
            "Illuminance, and how bright the lamps are set (right axis, percent). The line is 500 lx, what EN 12464-1 "
            "asks for at an office desk; the sensors sit elsewhere, so read it as a hint.",
            "lux",
            "No light sensor in this room, or nothing from it in this time",
            Influx(query),
        )
        .min(0)
        .thresholds(steps((None, "text"), (500, "yellow")))
        .thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
        .override_by_name("Illuminance", look(color("yellow")))
        .override_by_name("Lamps", look(color("text"), ("unit", "percent"), ("max", 100), RIGHT))
    )
