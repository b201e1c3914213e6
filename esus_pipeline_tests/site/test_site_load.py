import csv
from collections import Counter
from datetime import date, time, timedelta
from pathlib import Path

import pytest
import yaml

from esus_pipeline.settings import Settings
from esus_pipeline.site import builtin_sites, load_site
from esus_pipeline_tests.site.folders import EXAMPLE, POINTS, edited, write

FACTS = Path(__file__).parents[3] / "shared" / "tmv23" / "points.csv"
BUILTIN = Path("esus_pipeline/site")


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def test_tmv23_has_its_points_and_rooms():
    site = load_site("tmv23")
    assert len(site.points) == len(set(site.point_ids)) == 172
    assert site.room_ids == ("1.213", "1.215", "1.217", "1.229", "1.231", "1.233")
    assert site.place.timezone == "Europe/Copenhagen"
    rooms = Counter(point.room for point in site.points)
    assert {rooms[room] for room in site.room_ids} == {25, 26}
    assert sum(rooms.values()) == 172


def test_the_points_of_tmv23_are_those_that_were_carried_over():
    if not FACTS.is_file():
        pytest.skip(f"no facts at {FACTS}")
    with FACTS.open(encoding="utf-8", newline="") as stream:
        facts = list(csv.DictReader(stream))
    loaded = [
        {
            "external_log_id": str(point.id),
            "bms_path": point.path,
            "room": point.room or "",
            "quantity": point.quantity,
            "unit": point.unit,
            "role": point.role,
            "note": point.note,
        }
        for point in load_site("tmv23").points
    ]
    assert loaded == facts


def test_ou44_has_its_points_and_rooms():
    site = load_site("ou44")
    assert len(site.points) == len(set(site.point_ids)) == 22
    assert site.room_ids == ("22-508-1", "22-511-2")
    assert {point.room for point in site.points} == {None, *site.room_ids}
    assert site.quantity("air_temperature").max_age == timedelta(hours=12)


def test_the_sites_of_the_package_are_found_by_name():
    assert builtin_sites() == ["ou44", "tmv23"]


@pytest.mark.parametrize("name", ["tmv23", "ou44"])
def test_every_quantity_of_a_built_in_site_is_known_and_its_units_fit(name):
    site = load_site(name)
    for point in site.points:
        quantity = site.quantity(point.quantity)
        assert quantity.unit == "unknown" or quantity.convert(point.unit), point
        assert quantity.unit != "unknown" or point.quantity.startswith(("solar_intensity", "shading_")), point


def test_the_example_of_the_documentation_loads_as_it_is_printed(folder):
    site = load_site(str(folder))
    (room,) = site.rooms
    (window,) = room.windows
    assert (site.name, site.data_start, site.place.latitude) == ("example", date(2026, 1, 1), 57.0)
    assert site.facades["south"].horizon == ((90, 5), (180, 3), (270, 8))
    assert site.facades["south"].sun_sensor.quantity == "solar_intensity_south"
    assert site.shade_groups["south"].rooms == (room.id,) == ("1.230",)
    assert (site.occupancy.start, site.occupancy.end) == (time(8), time(16))
    assert (window.facade, window.area, window.shade, window.overhang.depth) == ("south", 5.8, "screen", 0.5)
    assert [point.room for point in site.points] == ["1.230", None]
    assert site.assumptions() == []


def test_the_example_shows_every_field_that_has_no_default(folder):
    assert load_site(str(folder)).model_fields_set >= {
        name for name, field in type(load_site("tmv23")).model_fields.items() if field.is_required()
    }


@pytest.mark.parametrize("room", ["1.230", "0101", "1e3", "12:30", "yes", "2026-01-01", '"1.230"', "'007'"])
def test_a_room_id_stays_the_text_that_it_is_with_or_without_quotes(tmp_path, room):
    plain = room.strip("\"'")
    site = load_site(str(write(tmp_path, EXAMPLE.replace("1.230", room), POINTS.replace("1.230", plain))))
    assert site.room_ids == (plain,)
    assert site.points[0].room == plain


def test_a_time_without_quotes_is_that_time(tmp_path):
    site = load_site(str(write(tmp_path, edited("start: 08:00, end: 16:00", "start: 10:30, end: 16:00"))))
    assert (site.occupancy.start, site.occupancy.end) == (time(10, 30), time(16))


def test_a_room_may_have_no_window_and_a_window_no_shade(tmp_path):
    inner = "  - {id: store, area: 9, height: 2.5, windows: []}\n"
    without = edited("        shade: screen\n", "        shade:\n")
    site = load_site(str(write(tmp_path, without + inner)))
    assert site.rooms[0].windows[0].shade is None
    assert site.room("store").windows == ()


def test_anchors_and_merge_keys_spare_repeating(tmp_path):
    text = edited("  south:\n    azimuth: 180", "  south: &wall\n    azimuth: 180")
    site = load_site(
        str(write(tmp_path, text.replace("shades:\n", "  east: {<<: *wall, azimuth: 90}\n\nshades:\n", 1)))
    )
    assert site.facades["east"].azimuth == 90
    assert site.facades["east"].horizon == site.facades["south"].horizon


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    site = load_site(
        str(write(tmp_path, "\ufeff" + EXAMPLE.replace("\n", "\r\n"), "\ufeff" + POINTS.replace("\n", "\r\n")))
    )
    assert site.title == "Example building"
    assert len(site.points) == 2


def test_blanks_around_cells_and_further_columns_do_no_harm(tmp_path):
    points = (
        " external_log_id , bms_path,room, quantity,unit,role,note,colour\n"
        ' 5 , /C1/a, 1.230 , co2 , ppm , measurement , "old, but good", red\n'
        "6,/C1/b,  ,wind_speed,m/s,measurement,,\n"
    )
    first, second = load_site(str(write(tmp_path, points=points))).points
    assert (first.id, first.path, first.room, first.quantity, first.unit) == (5, "/C1/a", "1.230", "co2", "ppm")
    assert (first.role, first.note) == ("measurement", "old, but good")
    assert second.room is None


def marked(node, path=()):
    """Paths of mappings with `assumed: true`, from the file alone."""
    if isinstance(node, dict):
        if node.get("assumed"):
            yield ".".join(path)
        for key, value in node.items():
            yield from marked(value, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            name = item.get("id", str(index)) if isinstance(item, dict) else str(index)
            yield from marked(item, (*path, name))


@pytest.mark.parametrize("name", ["tmv23", "ou44"])
def test_exactly_the_marked_facts_are_listed_as_assumed(name):
    expected = set(marked(yaml.safe_load((BUILTIN / name / "site.yaml").read_text(encoding="utf-8"))))
    listed = load_site(name).assumptions()
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    assert len(expected) > 8


def test_a_mark_anywhere_is_listed_by_its_path(tmp_path):
    text = edited("u_value: 1.1", "u_value: 1.1\n        assumed: true")
    text = edited("unit: W/m2}", "unit: W/m2, assumed: true}", text)
    text = edited("occupied: {low: 20, high: 26}\n  un", "occupied: {low: 20, high: 26, assumed: false}\n  un", text)
    text = edited("window_height: 1.6}", "window_height: 1.6, assumed: yes}", text)
    assert load_site(str(write(tmp_path, text))).assumptions() == [
        "facades.south.sun_sensor",
        "rooms.1.230.windows.w1",
        "rooms.1.230.windows.w1.overhang",
    ]


def test_the_setting_may_be_a_folder(folder, monkeypatch):
    settings = Settings.from_env({"ESUS_SITE": str(folder)})
    assert load_site(settings.site).name == "example"
    monkeypatch.chdir(folder.parent)
    assert load_site(folder.name).name == "example"
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load_site(f"~/{folder.name}").name == "example"


def test_asking_for_a_room_that_is_not_there_names_those_that_are(folder):
    with pytest.raises(KeyError, match="no room '9'; there are"):
        load_site(str(folder)).room("9")


def test_a_controller_is_the_first_part_of_the_path():
    points = {point.id: point for point in load_site("tmv23").points}
    assert points[6418].controller == "TM023_1_20_1103"
    assert points[249709].controller == "TM023_0_21_1101"
