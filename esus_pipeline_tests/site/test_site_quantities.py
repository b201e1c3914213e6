from datetime import timedelta

import pytest

from esus_pipeline.site import Point, Quantity, load_site
from esus_pipeline.site.quantities import CONVERSIONS, QUANTITIES
from esus_pipeline_tests.site.folders import EXAMPLE, write

BY_HAND = [
    ("degF", "degC", 212.0, 100.0),
    ("degF", "degC", -40.0, -40.0),
    ("K", "degC", 293.15, 20.0),
    ("Wh", "kWh", 2500.0, 2.5),
    ("MWh", "kWh", 0.75, 750.0),
    ("kW", "W", 3.2, 3200.0),
    ("klux", "lux", 12.5, 12_500.0),
    ("fraction", "percent", 0.25, 25.0),
    ("km/h", "m/s", 36.0, 10.0),
    ("m3/h", "l/s", 3.6, 1.0),
    ("s", "min", 90.0, 1.5),
]


@pytest.mark.parametrize(("unit", "canonical", "given", "expected"), BY_HAND)
def test_a_unit_is_converted(unit, canonical, given, expected):
    factor, offset = Quantity(unit=canonical).convert(unit)
    assert given * factor + offset == pytest.approx(expected, abs=1e-9)


def test_no_conversion_is_left_out_above():
    assert {(unit, canonical) for unit, canonical, _, _ in BY_HAND} == set(CONVERSIONS)


def test_the_same_unit_stays_and_another_kind_is_refused():
    assert Quantity(unit="degC").convert("degC") == (1.0, 0.0)
    assert Quantity(unit="degC").convert("ppm") is None
    assert Quantity(unit="kWh").convert("kW") is None


def test_every_conversion_leads_to_a_unit_that_a_quantity_has():
    assert {canonical for _, canonical in CONVERSIONS} <= {quantity.unit for quantity in QUANTITIES.values()}


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_known_quantity_has_sensible_limits(name):
    quantity = QUANTITIES[name]
    assert quantity.high is None or quantity.low < quantity.high
    assert quantity.max_rate is None or quantity.max_rate > 0
    assert timedelta(minutes=30) <= quantity.max_age <= timedelta(days=31)
    assert quantity.unit != "unknown" or name.startswith(("solar_intensity_", "shading_"))


def test_an_unknown_quantity_is_carried_without_limits():
    site = load_site("tmv23")
    humidity = site.quantity("humidity")
    assert (humidity.low, humidity.high, humidity.max_rate) == (None, None, None)
    point = Point(id=1, path="/a", room=None, quantity="humidity", unit="%", role="measurement")
    assert site.canonical_unit(point) == "%"


def test_the_site_overrules_the_vocabulary_and_adds_to_it(tmp_path):
    own = "quantities:\n  co2: {unit: ppm, high: 2000, max_age: P1D}\n  humidity: {unit: percent, low: 0, high: 100}\n"
    site = load_site(str(write(tmp_path, EXAMPLE + own)))
    assert site.quantity("co2") == Quantity(unit="ppm", high=2000, max_age=timedelta(days=1))
    assert site.quantity("co2").low is None
    point = Point(id=1, path="/a", room=None, quantity="humidity", unit="fraction", role="measurement")
    assert site.canonical_unit(point) == "percent"
    assert site.quantity("wind_speed") == QUANTITIES["wind_speed"]
    for_meters = Point(id=2, path="/a", room=None, quantity="heating_energy", unit="MWh", role="meter")
    assert site.canonical_unit(for_meters) == "kWh"


def test_a_unit_that_cannot_be_converted_stays_visible():
    point = Point(id=1, path="/a", room=None, quantity="air_temperature", unit="Ohm", role="measurement")
    assert load_site("tmv23").canonical_unit(point) == "Ohm"
