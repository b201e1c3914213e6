"""Building: heat, energy, sun, wind and weather of the whole building."""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.source.board import BUILDING, EACH, ROOMS, SITE, board, row, site
from grafana.source.panels import DASHED, RIGHT, Influx, bars, color, lines, look, number
from grafana.source.plan import wind

HERE = f'FROM "room_table" WHERE $timeFilter AND {SITE} AND {BUILDING}'
CENTRAL = f"{HERE} {EACH} fill(null)"
FORECAST = f'FROM "weather_forecast" WHERE $timeFilter AND {SITE} {EACH} fill(null)'
FLOW = "suffix: l/s"
NO_METER = "This building has no such meter, or nothing came from it in this time"


def dashboard() -> Dashboard:
    """The Building dashboard."""
    return board(
        "building",
        "Building",
        "Heating power and energy, rooms as a whole, sun, wind and weather.",
        ("now-2d", "now"),
        [site()],
        [
            row("Heat"),
            _energy(),
            _newest("Heating power", "watt", "heating_power", "Heating power by the heat meter."),
            _newest("Supply", "celsius", "heating_supply_temperature", "Temperature of the heating water on its way."),
            _newest("Return", "celsius", "heating_return_temperature", "Temperature of the water that comes back."),
            _newest("Flow", FLOW, "heating_flow", "Flow of heating water."),
            _newest("Wind", "velocityms", "wind_speed", "Wind speed at the building."),
            _power(),
            _energy_per_hour(),
            _water(),
            _rooms(),
            row("Sun, wind and weather"),
            _sun(),
            wind(),
            _radiation(),
            _outdoors(),
        ],
    )


def _energy() -> stat.Panel:
    return number(
        "Heat used",
        "Heat in the chosen time: newest minus oldest reading of the meter. A meter that was set back shows too much.",
        "kwatth",
        NO_METER,
        Influx(f'SELECT spread("heating_energy") {HERE}'),
    ).decimals(0)


def _newest(title: str, unit: str, column: str, description: str) -> stat.Panel:
    return number(
        title,
        f"{description} The newest value of the chosen time.",
        unit,
        NO_METER,
        Influx(f'SELECT mean("{column}") {CENTRAL}'),
    ).decimals(1)


def _power() -> timeseries.Panel:
    return (
        lines(
            "Heating power",
            "Heating power by the heat meter, mean of each step.",
            "watt",
            NO_METER,
            Influx(f'SELECT mean("heating_power") AS "Heating power" {CENTRAL}'),
        )
        .min(0)
        .fill_opacity(15)
        .override_by_name("Heating power", look(color("orange")))
    )


def _energy_per_hour() -> timeseries.Panel:
    return (
        bars(
            "Heat per hour",
            "Heat used in each hour by the meter's counter. An hour without readings has no bar, the next has both.",
            "kwatth",
            NO_METER,
            Influx(f'SELECT non_negative_difference(last("heating_energy")) AS "Heat" {HERE} GROUP BY time(1h)'),
        )
        .decimals(1)
        .override_by_name("Heat", look(color("orange")))
    )


def _water() -> timeseries.Panel:
    query = f"""SELECT mean("heating_supply_temperature") AS "Supply", mean("heating_return_temperature") AS "Return",
        mean("heating_flow") AS "Flow" {CENTRAL}"""
    return (
        lines(
            "Heating water",
            "Supply and return temperature, and flow (right axis, l/s). A small difference between supply and return "
            "at a large flow means that the water carries little heat into the rooms.",
            "celsius",
            NO_METER,
            Influx(query),
        )
        .decimals(1)
        .override_by_name("Supply", look(color("red")))
        .override_by_name("Return", look(color("blue")))
        .override_by_name("Flow", look(color("text"), DASHED, RIGHT, ("unit", FLOW), ("decimals", 2), ("min", 0)))
    )


def _rooms() -> timeseries.Panel:
    query = f"""SELECT min("air_temperature") AS "Coldest room", mean("air_temperature") AS "All rooms",
        max("air_temperature") AS "Warmest room" FROM "room_table" WHERE $timeFilter AND {SITE} AND {ROOMS}
        {EACH} fill(null)"""
    return (
        lines(
            "Room temperatures",
            "Coldest, mean and warmest of all rooms.",
            "celsius",
            "No room temperature in this time",
            Influx(query),
        )
        .decimals(1)
        .override_by_name("Coldest room", look(color("blue")))
        .override_by_name("All rooms", look(color("text"), ("custom.lineWidth", 2.5)))
        .override_by_name("Warmest room", look(color("red")))
    )


def _sun() -> timeseries.Panel:
    measured = ", ".join(f'mean("solar_intensity_{name}") AS "{name}"' for name in ("east", "south", "west"))
    limits = ", ".join(
        f'last("shading_close_limit_{name}") AS "{name}: shades close above"' for name in ("east", "south")
    )
    return (
        lines(
            "Facade sun sensors",
            "What the sun sensors of the facades say (taken as W/m2; esus doctor says where a unit is assumed), and "
            "where the building's own rule closes the shades.",
            "Wm2",
            "This building has no facade sun sensors, or nothing came from them in this time",
            Influx(f"SELECT {measured}, {limits} {CENTRAL}"),
        )
        .min(0)
        .override_by_regexp("/close/", look(DASHED))
    )


def _radiation() -> timeseries.Panel:
    columns = """mean("ghi") AS "Global horizontal", mean("dni") AS "Direct normal",
        mean("dhi") AS "Diffuse horizontal", mean("cloud_cover") AS "Clouds\""""
    return (
        lines(
            "Sun in the forecast",
            "Irradiance of the forecast in force for each time, and cloud cover (right axis, percent).",
            "Wm2",
            "No forecast for this time; see the Pipeline dashboard",
            Influx(f"SELECT {columns} {FORECAST}"),
        )
        .min(0)
        .override_by_name("Global horizontal", look(color("yellow")))
        .override_by_name("Direct normal", look(color("orange")))
        .override_by_name("Diffuse horizontal", look(color("light-blue")))
        .override_by_name("Clouds", look(color("text"), DASHED, RIGHT, ("unit", "percent"), ("max", 100)))
    )


def _outdoors() -> timeseries.Panel:
    return lines(
        "Outdoor temperature in the forecast",
        "Air temperature at 2 m of the forecast in force for each time.",
        "celsius",
        "No forecast for this time; see the Pipeline dashboard",
        Influx(f'SELECT mean("temp_air") AS "Outdoors" {FORECAST}'),
    ).decimals(1)
