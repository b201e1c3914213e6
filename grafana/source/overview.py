"""Overview: the first page. Is all well, how are the rooms, and where to look further."""

from grafana_foundation_sdk.builders import dashboardlist, table, text
from grafana_foundation_sdk.builders.dashboard import Dashboard, Panel
from grafana_foundation_sdk.models.text import TextMode

from grafana.source.board import ROOMS, SITE, TAG, board, row, site
from grafana.source.panels import TEXT, Influx, between, look, rows, steps, transform
from grafana.source.panels import words as mapped
from grafana.source.pipeline import now
from grafana.source.plan import RULES, SHADE

GUIDE = """\
**Rooms**: is it warm, is the air good?  **Plan**: what will the shades do, and why?  **Data quality**: which points
are silent?  **Pipeline**: does the machinery run?  **Building**: heat, sun and wind.

*Plan page* and *Dagster* are linked at the top. Times are those of your browser. A gap in a line is a gap in the data:
nothing is filled in. Forecasts: [Open-Meteo](https://open-meteo.com) and [MET Norway](https://api.met.no), CC BY 4.0.
"""


def dashboard() -> Dashboard:
    """The Overview dashboard, Grafana's home page."""
    return board(
        "overview",
        "Overview",
        "Is all well, how are the rooms, and where to look further.",
        ("now-6h", "now"),
        [site()],
        [
            row("Is all well?"),
            *now(),
            row("How are the rooms?"),
            _rooms(),
            row("Where to look"),
            _alerts(),
            _boards(),
            _guide(),
        ],
    )


def _rooms() -> table.Panel:
    measured = f"""SELECT last("air_temperature") AS "Temperature", last("heating_setpoint") AS "Heat below",
        last("cooling_setpoint") AS "Cool above", last("co2") AS "CO2", last("occupancy") AS "People",
        last("window_open") AS "Window", last("radiator_valve") AS "Valve" FROM "room_table"
        WHERE $timeFilter AND {SITE} AND {ROOMS} GROUP BY "room\""""
    planned = f"""SELECT last("shade_position") AS "Shade", last("rule") AS "Because" FROM "shade_setpoint_schedule"
        WHERE $timeFilter AND {SITE} GROUP BY "room\""""
    people = [between(0, 0.001, "empty", "text"), between(0.001, 1, "occupied", "purple")]
    window = mapped({"0": ("closed", "text"), "1": ("open", "blue")})
    colored = ("custom.cellOptions", {"type": "color-text"})
    link = {"title": "This room", "url": "/d/esus-rooms?var-site=${site}&var-room=${__value.text}"}
    return (
        rows(
            "Rooms now",
            "The newest value of every room in the chosen time, and what the plan wants of its shade. Click a room for "
            "its course. CO2 is coloured by EN 16798-1.",
            "celsius",
            "Nothing from any room in this time; see Data quality",
            Influx(measured),
            Influx(planned),
        )
        .decimals(1)
        .filterable(False)
        .with_transformation(transform("organize", excludeByName={"Time": True}, renameByName={"room": "Room"}))
        .with_transformation(transform("joinByField", byField="Room", mode="outer"))
        .override_by_name("Room", look(TEXT, ("links", [link])))
        .override_by_name(
            "CO2",
            look(
                ("unit", "ppm"),
                ("decimals", 0),
                ("thresholds", steps((None, "green"), (950, "yellow"), (1200, "orange"), (1750, "red")).build()),
                colored,
            ),
        )
        .override_by_name("People", look(("mappings", people), colored))
        .override_by_name("Window", look(("mappings", window), colored))
        .override_by_name("Valve", look(("unit", "percent"), ("decimals", 0)))
        .override_by_name("Shade", look(("unit", "percentunit"), ("mappings", SHADE), colored))
        .override_by_name("Because", look(("mappings", mapped(RULES))))
    )


def _alerts() -> Panel:
    """Grafana's own list of alerts, which the SDK has no words for."""
    return (
        Panel()
        .type("alertlist")
        .title("Alerts")
        .description("Alert rules that fire, are about to, or could not be evaluated. Each says what to do.")
        .no_value("No alert")
        .options(
            {
                "viewMode": "list",
                "groupMode": "default",
                "groupBy": [],
                "maxItems": 20,
                "sortOrder": 1,
                "dashboardAlerts": False,
                "alertName": "",
                "alertInstanceLabelFilter": "",
                "stateFilter": {"firing": True, "pending": True, "noData": True, "error": True, "normal": False},
            }
        )
        .span(10)
        .height(8)
    )


def _boards() -> dashboardlist.Panel:
    return (
        dashboardlist.Panel()
        .title("Dashboards")
        .description("All dashboards of this system.")
        .tags([TAG])
        .show_search(True)
        .show_starred(False)
        .show_recently_viewed(False)
        .show_headings(False)
        .include_vars(True)
        .span(6)
        .height(8)
    )


def _guide() -> text.Panel:
    return (
        text.Panel()
        .title("How to read these pages")
        .description("Where to look for what.")
        .mode(TextMode.MARKDOWN)
        .content(GUIDE)
        .span(8)
        .height(8)
    )
