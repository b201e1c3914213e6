from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.frames import SOLAR_GAIN_PANE, STEP
from esus_pipeline.solar import FacadeFactor, facade_factors, facade_irradiance, nowcast, pane_gains, room_gains

AS_OF = datetime(2026, 6, 21, 11, 0, tzinfo=UTC)
SENSOR = {"quantity": "sun_south", "unit": "W/m2"}
MINUTE = timedelta(minutes=1)


def readings(value: float, minutes_ago: tuple[int, ...] = (2, 12, 22), **columns: object) -> pd.DataFrame:
    stamps = [pd.Timestamp(AS_OF) - minutes * MINUTE for minutes in minutes_ago]
    row = {"point_id": 1, "quantity": "sun_south", "unit": "W/m2", "quality": "good", **columns}
    return pd.DataFrame({"timestamp": stamps, "value": value, **row})


def modelled(site, issue) -> float:
    """What the model has on the pane's plane where the readings stand, seen at their three intervals."""
    poa = pane_gains(site, issue).set_index("valid_time")["poa_global"]
    return float(np.mean([poa[(pd.Timestamp(AS_OF) - ago * MINUTE).floor(STEP)] for ago in (2, 12, 22)]))


@pytest.fixture
def site(one_pane):
    return one_pane(facade={"sun_sensor": SENSOR})


def test_the_ratio_of_measured_and_modelled(site, clear_day):
    issue = clear_day("2026-06-21")
    expected = modelled(site, issue)
    found = facade_factors(site, readings(0.6 * expected), facade_irradiance(site, issue), AS_OF)["f"]
    assert found.factor == pytest.approx(0.6)
    assert (found.measured, found.modelled) == (pytest.approx(0.6 * expected), pytest.approx(expected))


def test_an_overhang_of_a_window_is_not_over_the_sensor(one_pane, clear_day):
    issue = clear_day("2026-06-21")
    free = one_pane(facade={"sun_sensor": SENSOR})
    shaded = one_pane(facade={"sun_sensor": SENSOR}, overhang={"depth": 2, "window_height": 1.5})
    assert facade_factors(free, readings(300), facade_irradiance(free, issue), AS_OF) == facade_factors(
        shaded, readings(300), facade_irradiance(shaded, issue), AS_OF
    )


@pytest.mark.parametrize(
    ("unit", "stated", "value"),
    [("klux", "W/m2", 33.0), ("lux", "W/m2", 33_000.0), ("unknown", "klux", 33.0), ("unknown", "W/m2", 300.0)],
)
def test_units(one_pane, clear_day, unit, stated, value):
    site = one_pane(facade={"sun_sensor": {**SENSOR, "unit": stated}})
    found = facade_factors(site, readings(value, unit=unit), facade_irradiance(site, clear_day("2026-06-21")), AS_OF)[
        "f"
    ]
    assert found.measured == pytest.approx(300.0)


@pytest.mark.parametrize(("share", "factor"), [(0.0, 0.2), (0.1, 0.2), (1.9, 1.9), (9.0, 2.0)])
def test_the_factor_has_limits(site, clear_day, share, factor):
    issue = clear_day("2026-06-21")
    found = facade_factors(site, readings(share * modelled(site, issue)), facade_irradiance(site, issue), AS_OF)["f"]
    assert found.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (readings(300, (30, 45)), "no good reading"),
        (readings(300, (-1,)), "no good reading"),
        (readings(300, quality="stuck"), "no good reading"),
        (readings(np.nan), "no good reading"),
        (readings(300, quantity="sun_west"), "no good reading"),
        (readings(300).iloc[:0], "no good reading"),
    ],
)
def test_readings_that_are_not_believed(site, clear_day, rows, reason):
    found = facade_factors(site, rows, facade_irradiance(site, clear_day("2026-06-21")), AS_OF)["f"]
    assert found.factor is None
    assert str(found).startswith(f"not corrected: {reason}")


@pytest.mark.parametrize(
    ("facade", "azimuth"),
    [({"horizon": [[0, 70]]}, 180.0), ({}, 90.0), ({}, 0.0)],
    ids=["behind the skyline", "at too flat an angle", "on the other side"],
)
def test_sun_must_be_clearly_on_the_facade(one_pane, clear_day, facade, azimuth):
    site = one_pane(azimuth, {**facade, "sun_sensor": SENSOR})
    found = facade_factors(site, readings(300), facade_irradiance(site, clear_day("2026-06-21")), AS_OF)["f"]
    assert (found.factor, found.reason) == (None, "the sun is not clearly on the facade")


def test_a_forecast_of_darkness_cannot_be_scaled(site, clear_day):
    dark = clear_day("2026-06-21").assign(ghi=20.0, dni=0.0, dhi=20.0)
    assert facade_factors(site, readings(300), facade_irradiance(site, dark), AS_OF)["f"].factor is None


def test_no_forecast_for_the_readings(site, clear_day):
    found = facade_factors(site, readings(300), facade_irradiance(site, clear_day("2026-06-22")), AS_OF)["f"]
    assert found.reason == "no forecast for the time of the readings"


def test_facades_without_a_sensor_have_no_factor(one_pane, clear_day):
    assert (
        facade_factors(one_pane(), readings(300), facade_irradiance(one_pane(), clear_day("2026-06-21")), AS_OF) == {}
    )


def test_nowcast_fades_over_three_hours(site, clear_day):
    panes = pane_gains(site, clear_day("2026-06-21"))
    corrected = nowcast(site, panes, {"f": FacadeFactor(0.4, "measured")}, AS_OF)
    assert list(corrected["valid_time"]) == list(pd.date_range(AS_OF, periods=12, freq="15min"))
    assert corrected["issued_at"].unique() == [pd.Timestamp(AS_OF)]
    before = panes.set_index("valid_time")["gain_open"].loc[AS_OF:].head(12)
    ratio = corrected.set_index("valid_time")["gain_open"] / before
    hours = np.arange(12) / 4 + 0.125
    assert ratio.tolist() == pytest.approx((1 - 0.6 * (1 - hours / 3)).tolist())


def test_nowcast_keeps_rooms_whole(tmv23, clear_day):
    panes = pane_gains(tmv23, clear_day("2026-06-21"))
    corrected = nowcast(
        tmv23, panes, {"south": FacadeFactor(0.5, "measured"), "east": FacadeFactor(None, "old")}, AS_OF
    )
    assert len(corrected) == 6 * 12
    rooms = room_gains(tmv23, corrected).set_index(["room", "valid_time"])["gain_open"]
    before = room_gains(tmv23, panes).set_index(["room", "valid_time"])["gain_open"]
    assert rooms["1.213"].iloc[0] / before[("1.213", pd.Timestamp(AS_OF))] == pytest.approx(1 - 0.5 * (1 - 0.125 / 3))
    assert rooms["1.229"].iloc[0] == pytest.approx(before[("1.229", pd.Timestamp(AS_OF))])


def test_without_a_believed_sensor_there_is_no_nowcast(site, clear_day):
    panes = pane_gains(site, clear_day("2026-06-21"))
    for factors in ({}, {"f": FacadeFactor(None, "old")}):
        nothing = nowcast(site, panes, factors, AS_OF)
        assert (len(nothing), list(nothing.columns)) == (0, SOLAR_GAIN_PANE.schema.names)
