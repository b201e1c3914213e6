import pytest

from esus_pipeline.site import SiteError, load_site
from esus_pipeline_tests.site.folders import EXAMPLE, HEADER, POINTS, edited, faults, line_of, write

ROOM = EXAMPLE[EXAMPLE.index("  - id: 1.230") :]
WINDOW = EXAMPLE[EXAMPLE.index("      - id: w1") :]
ZONE = "place.timezone: not an IANA time zone; for example Europe/Copenhagen, got"
WORD = "must be lower-case letters, digits and _, beginning with a letter, got"
INTEGER = "Input should be a valid integer, unable to parse string as an integer, got"
ROLE = "role: Input should be 'measurement', 'setpoint', 'command' or 'meter', got"
NUMBER = "Input should be a valid number, unable to parse string as a number"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("frame_share: 0.2", "frames_share: 0.2", "rooms.0.windows.0.frames_share: no such field; check the spelling"),
        (
            "g_value: 0.52",
            "g_value: 1.52",
            "rooms.0.windows.0.g_value: Input should be less than or equal to 1, got '1.52'",
        ),
        ("g_value: 0.52", "g_value: half", f"rooms.0.windows.0.g_value: {NUMBER}, got 'half'"),
        ("area: 5.8 ", "area: 5,8 ", f"rooms.0.windows.0.area: {NUMBER}, got '5,8'"),
        ("area: 24", "area: 0", "rooms.0.area: Input should be greater than 0, got '0'"),
        ("area: 24", "area: yes", f"rooms.0.area: {NUMBER}, got 'yes'"),
        ("area: 24", "area: inf", "rooms.0.area: Input should be a finite number, got 'inf'"),
        ("latitude: 57.0", "latitude: 97", "place.latitude: Input should be less than or equal to 90, got '97'"),
        ("azimuth: 180", "azimuth: 360", "facades.south.azimuth: Input should be less than 360, got '360'"),
        ("[180, 3], ", "[180, 95], ", "facades.south.horizon.1.1: Input should be less than or equal to 90, got '95'"),
        (
            "country: DK",
            "country: QQ",
            "place.country: no holidays are known of this country; "
            "an ISO 3166 code such as DK, or leave it out, got 'QQ'",
        ),
        ("Europe/Copenhagen", "Denmark/Aalborg", f"{ZONE} 'Denmark/Aalborg'"),
        ("Europe/Copenhagen", "Europe", f"{ZONE} 'Europe'"),
        ("unit: W/m2}", "unit: W}", "facades.south.sun_sensor.unit: Input should be 'W/m2', 'lux' or 'klux', got 'W'"),
        (
            "movement: continuous",
            "movement: up",
            "shades.screen.movement: Input should be 'continuous' or 'open_or_closed', got 'up'",
        ),
        (
            "placement: external",
            "placement: outside",
            "shades.screen.placement: Input should be 'external' or 'internal', got 'outside'",
        ),
        ("name: example", "name: My House", f"name: {WORD} 'My House'"),
        (
            "data_start: 2026-01-01",
            "data_start: 2026-13-01",
            "data_start: Input should be a valid date or datetime, "
            "month value is outside expected range of 1-12, got '2026-13-01'",
        ),
        ("start: 08:00", "start: 8", "occupancy.start: must be a time such as 08:00, got '8'"),
        ("start: 08:00", "start: 08:00Z", "occupancy.start: must be local time, without a zone, got '08:00Z'"),
        ("[0, 1, 2, 3, 4]", "[0, 7]", "occupancy.weekdays.1: Input should be less than or equal to 6, got '7'"),
        ("hold_minutes: 30", "hold_minutes: 0.5", f"wind.hold_minutes: {INTEGER} '0.5'"),
        (
            "id: 1.230",
            "id: building",
            "rooms.0.id: means the whole building in every table; choose another, got 'building'",
        ),
        ("facade: south", "facade: north", "rooms.0.windows.0.facade: must be one of south, got 'north'"),
        ("shade: screen", "shade: curtain", "rooms.0.windows.0.shade: must be one of screen, got 'curtain'"),
        (
            "rooms: [1.230]",
            "rooms: [1.230, 9.9]",
            "shade_groups.south.rooms.1: must be one of the rooms 1.230, got '9.9'",
        ),
        (
            "rooms: [1.230]",
            "rooms: [1.230, 1.230]",
            "shade_groups.south.rooms.1: must be in one shade group only, got '1.230'",
        ),
        (
            "comfort:\n  occupied: {low: 20,",
            "control: {setpoint_margin: 1}\n\ncomfort:\n  occupied: {low: 24,",
            "control.setpoint_margin: must be less than half of the occupied comfort band, got 1.0",
        ),
        ("rooms: [1.230]", "rooms: []", "shade_groups.south.rooms: must name at least one room"),
        ("open_below: 120", "open_below: 250", "shade_groups.south: open_below must be less than close_above"),
        (
            "open_below: 120}",
            "open_below: 120, feedback: {quantity: wind_speed, open_at: 1, closed_at: 1}}",
            "shade_groups.south.feedback: open_at must differ from closed_at",
        ),
        ("release_below: 8", "release_below: 10", "wind: release_below must be less than retract_above"),
        ("start: 08:00", "start: 16:00", "occupancy: start must be before end"),
        (
            "occupied: {low: 20, high: 26}\n  un",
            "occupied: {low: 26, high: 26}\n  un",
            "comfort.occupied: low must be less than high",
        ),
    ],
)
def test_a_wrong_field_is_told_with_its_line_and_what_is_allowed(tmp_path, old, new, told):
    text = edited(old, new)
    if new == "id: building":
        text = edited("rooms: [1.230]", "rooms: [building]", text)
    assert faults(write(tmp_path, text)) == [f"site.yaml:{line_of(text, new.splitlines()[0])}: {told}"]


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("wind: {retract_above: 20, release_below: 8}\n", "wind: stands twice"),
        ("storeys: 3\n", "storeys: no such field; check the spelling"),
        ("quantities: {co2: {unit: ppm, low: 9, high: 2}}\n", "quantities.co2: low must be less than high"),
        ("quantities: {co2: {unit: ppm, limit: 2}}\n", "quantities.co2.limit: no such field; check the spelling"),
        ("quantities: {co2: {low: 2}}\n", "quantities.co2.unit: this field is required"),
        (
            "quantities: {co2: {unit: ppm, max_age: long}}\n",
            "quantities.co2.max_age: must be a duration such as PT2H (two hours) or P1D (a day), got 'long'",
        ),
        (
            "quantities: {co2: {unit: ppm, sampling: median}}\n",
            "quantities.co2.sampling: Input should be 'mean', 'interpolate' or 'last', got 'median'",
        ),
        ("key: [unclosed\n", None),
        (
            "key: !!python/object/apply:os.getcwd []\n",
            "not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'",
        ),
        ("? [a, b]\n: 1\n", "not YAML: found unhashable key"),
        ("bell: \a\n", "not YAML: control characters are not allowed"),
        ("---\nname: second\n", "not YAML: but found another document"),
        (ROOM, "rooms.1.id: must differ from the rooms before it, got '1.230'"),
        (WINDOW, "rooms.0.windows.1.id: must differ from the room's windows before it, got 'w1'"),
    ],
)
def test_a_wrong_addition_is_told_with_its_line(tmp_path, addition, told):
    (found,) = faults(write(tmp_path, EXAMPLE + addition))
    if told is None:
        assert found.startswith("site.yaml:")
        assert "not YAML: " in found
    else:
        assert found == f"site.yaml:{EXAMPLE.count(chr(10)) + 1}: {told}"


@pytest.mark.parametrize("field", ["area", "height", "windows"])
def test_a_missing_field_of_a_room_is_told_at_the_room(tmp_path, field):
    text = "".join(line for line in EXAMPLE.splitlines(keepends=True) if not line.startswith(f"    {field}:"))
    if field == "windows":
        text = text[: text.index("      - id: w1")]
    (found,) = faults(write(tmp_path, text))
    assert found == f"site.yaml:{line_of(text, '- id: 1.230')}: rooms.0.{field}: this field is required"


@pytest.mark.parametrize("section", ["place", "tariffs", "wind", "title", "name"])
def test_a_missing_section_is_told(tmp_path, section):
    text = "".join(line for line in EXAMPLE.splitlines(keepends=True) if not line.startswith(f"{section}:"))
    assert faults(write(tmp_path, text)) == [f"site.yaml:1: {section}: this field is required"]


def test_windows_without_a_list_are_told_apart_from_none(tmp_path):
    text = EXAMPLE[: EXAMPLE.index("      - id: w1")]
    assert faults(write(tmp_path, text)) == [
        f"site.yaml:{line_of(text, '    windows:')}: rooms.0.windows: must be a list, got None"
    ]


def test_a_building_without_rooms_is_refused(tmp_path):
    text = edited(ROOM, "").replace("\nrooms:\n", "\nrooms: []\n").replace("shade_groups:", "shade_groups: {} #")
    text = edited("  south: {rooms: [1.230], close_above: 250, open_below: 120}\n", "", text)
    assert faults(write(tmp_path, text)) == [
        f"site.yaml:{line_of(text, 'rooms: []')}: rooms: must name at least one room"
    ]


def test_every_fault_is_told_at_once(tmp_path):
    text = edited(
        "area: 24", "area: -1", edited("altitude: 10", "altitude: high", edited("name: example", "nome: example"))
    )
    fields = [line.split(": ")[1] for line in faults(write(tmp_path, text))]
    assert sorted(fields) == ["name", "nome", "place.altitude", "rooms.0.area"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "just words\n", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    (found,) = faults(write(tmp_path, text))
    assert found == "site.yaml:1: must be a mapping with name, place, facades, rooms, comfort, tariffs, wind"


def test_a_site_file_that_is_not_utf_8_is_told_with_its_line(tmp_path):
    text = edited("title: Example building", "title: Bygning på Sjælland")
    (found,) = faults(write(tmp_path, text.encode("latin-1")))
    assert found == "site.yaml:2: not UTF-8: invalid continuation byte; save the file as UTF-8"


def test_neither_a_name_nor_a_folder(tmp_path):
    with pytest.raises(
        SiteError, match=r"'tmv32' is neither a site of this package \(ou44, tmv23\) nor a folder with a"
    ):
        load_site("tmv32")
    with pytest.raises(SiteError, match="set ESUS_SITE to one of them"):
        load_site(str(tmp_path))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,/C1/x,,co2,ppm,measurement", ["external_log_id: 1 stands twice"]),
        ("3,/C1/x,2.1,co2,ppm,measurement", ["room: must be one of 1.230, or empty, got '2.1'"]),
        ("3,/C1/x,1.23,co2,ppm,measurement", ["room: must be one of 1.230, or empty, got '1.23'"]),
        ("3,/C1/x,,co2,ppm,sensor", [f"{ROLE} 'sensor'"]),
        ("x,/C1/x,,co2,ppm,meter", [f"external_log_id: {INTEGER} 'x'"]),
        ("-3,/C1/x,,co2,ppm,meter", ["external_log_id: Input should be greater than or equal to 0, got '-3'"]),
        (
            f"{2**63},/C1/x,,co2,ppm,meter",
            [f"external_log_id: Input should be less than 9223372036854775808, got '{2**63}'"],
        ),
        ("3,/C1/x,,,ppm,meter", [f"quantity: {WORD} ''"]),
        ("3,/C1/x,,CO2,ppm,meter", [f"quantity: {WORD} 'CO2'"]),
        (
            "3,/C1/x,,timestamp,s,meter",
            ["quantity: is a column of the room table already; choose another name, got 'timestamp'"],
        ),
        ("3,/C1/x,,co2,ppm,meter,more", ["more cells than columns; put text that has a comma in double quotes"]),
        ('3,"/C1/x,,co2,ppm,meter', ["not CSV: unexpected end of data"]),
        ("3,/C1/x", [f"quantity: {WORD} ''", f"{ROLE} ''"]),
    ],
)
def test_a_wrong_point_is_told_with_its_line_and_what_is_allowed(tmp_path, row, told):
    assert faults(write(tmp_path, points=f"{POINTS}{row}\n")) == [f"points.csv:4: {fault}" for fault in told]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("3,/C1/x,,co2,ppm,measurement,six hours", "max_silence: must be a duration such as PT2H"),
        ("3,/C1/x,,co2,ppm,measurement,PT0S", "max_silence: Input should be greater than 0 seconds"),
        ("3,/C1/x,,co2,ppm,setpoint,PT6H", "max_silence: must be empty for a setpoint, command or switch"),
    ],
)
def test_a_points_own_silence_is_a_span_and_of_a_point_whose_silence_tells_something(tmp_path, row, told):
    [fault] = faults(write(tmp_path, points=f"{HEADER},max_silence\n1,/C1/y,,co2,ppm,measurement,PT6H\n{row}\n"))
    assert fault.startswith(f"points.csv:3: {told}")


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_missing_column_is_named(tmp_path, column):
    (found,) = faults(write(tmp_path, points=POINTS.replace(column, f"{column}2", 1)))
    assert found == f"points.csv:1: missing columns {column}; columns are separated by commas"


def test_semicolons_are_told_apart(tmp_path):
    (found,) = faults(write(tmp_path, points=POINTS.replace(",", ";")))
    assert found.endswith("columns are separated by commas")


def test_no_points_at_all(tmp_path):
    assert faults(write(tmp_path, points=f"{HEADER}\n")) == ["points.csv:2: no points; a site needs at least one"]
    (tmp_path / "points.csv").unlink()
    (found,) = faults(tmp_path)
    assert found == f"points.csv: missing; a site needs a points.csv with the columns {HEADER.replace(',', ', ')}"


def test_points_that_are_not_utf_8_are_told_with_their_line(tmp_path):
    points = f"{POINTS}3,/Kælder/T,,outdoor_temperature,degC,measurement\n"
    (found,) = faults(write(tmp_path, points=points.encode("latin-1")))
    assert found == "points.csv:4: not UTF-8: invalid continuation byte; save the file as UTF-8"


def test_all_wrong_points_are_told_at_once(tmp_path):
    points = f"{POINTS}1,/C1/x,9,co2,ppm,measurement\nx,/C1/x,,co2,ppm,measurement\n"
    assert [fault.split(":")[1] for fault in faults(write(tmp_path, points=points))] == ["4", "4", "5"]
