import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pvlib import solarposition
from pvlib.location import Location

from esus_pipeline.weather import grid
from esus_pipeline.weather.sun import sun_at_middle, under_clouds, with_components

DAY = pd.date_range("2026-06-21", periods=96, freq="15min", tz="UTC", unit="us")


def test_instants_become_means_of_the_straight_line_between_them():
    hours = pd.date_range("2026-06-21", periods=2, freq="h", tz="UTC")
    quarters = grid.quarters(hours)
    assert list(quarters) == list(DAY[:4])
    assert grid.mean_of_instants(pd.Series([10.0, 14.0], hours), quarters).tolist() == [10.5, 11.5, 12.5, 13.5]


def test_a_hole_of_more_than_an_hour_is_not_bridged():
    hours = pd.date_range("2026-06-21", periods=4, freq="h", tz="UTC")
    means = grid.mean_of_instants(pd.Series([10.0, np.nan, 12.0, 13.0], hours), grid.quarters(hours))
    assert means.isna().tolist() == [True] * 8 + [False] * 4


def test_nothing_known_stays_missing():
    hours = pd.date_range("2026-06-21", periods=2, freq="h", tz="UTC")
    assert grid.mean_of_instants(pd.Series([np.nan, np.nan], hours), grid.quarters(hours)).isna().all()


def test_hour_ending_value_belongs_to_the_hour_before_its_stamp():
    gusts = pd.Series([7.0, 8.0], pd.DatetimeIndex(["2026-06-21 01:00", "2026-06-21 02:00"], tz="UTC"))
    assert grid.of_hour_ending(gusts, DAY[:9]).fillna(-1).tolist() == [7.0] * 4 + [8.0] * 4 + [-1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 900), min_size=24, max_size=24))
def test_spreading_keeps_every_hourly_mean(site, values):
    hourly = pd.Series(np.repeat(values, 4), DAY)
    spread = grid.spread_hour(hourly, sun_at_middle(site.place, DAY))
    assert spread.to_numpy().reshape(24, 4).mean(axis=1) == pytest.approx(values)
    assert (spread >= 0).all()


def test_spreading_leaves_missing_missing(site):
    spread = grid.spread_hour(pd.Series(np.nan, DAY), sun_at_middle(site.place, DAY))
    assert spread.isna().all()


def test_spread_morning_rises_and_evening_falls(site):
    spread = grid.spread_hour(pd.Series(300.0, DAY), sun_at_middle(site.place, DAY))
    assert (np.diff(spread[28:32]) > 0).all()
    assert (np.diff(spread[64:68]) < 0).all()


@pytest.mark.parametrize(
    ("quarters", "hour", "used"),
    [
        ([590, 600, 610, 620], 605.0, [True] * 4),
        ([590, 600, 610, 620], 480.0, [False] * 4),
        ([10, 12, 14, 16], 20.0, [True] * 4),
        ([590, 600, 610, np.nan], 605.0, [False] * 4),
        ([590, 600, 610, np.nan], np.nan, [True, True, True, False]),
    ],
)
def test_quarters_are_used_when_they_agree_with_their_hour(quarters, hour, used):
    quarterly = pd.DataFrame({"ghi": np.array(quarters, float)}, index=DAY[:4])
    assert grid.use_quarters(quarterly, pd.DataFrame({"ghi": hour}, index=DAY[:4])).tolist() == used


def test_cloud_cover_dims_by_kasten_and_czeplak(site):
    sun = sun_at_middle(site.place, DAY)
    clear, half, full = (under_clouds(sun, pd.Series(cover, DAY)) for cover in (0.0, 50.0, 100.0))
    noon = 44
    assert full.iloc[noon] / clear.iloc[noon] == pytest.approx(0.25)
    assert half.iloc[noon] / clear.iloc[noon] == pytest.approx(1 - 0.75 * 0.5**3.4)
    assert 750 < clear.iloc[noon] < 900
    assert under_clouds(sun, pd.Series(np.nan, DAY)).isna().all()


def test_missing_components_follow_from_the_others(site):
    sun = sun_at_middle(site.place, DAY)
    noon = sun.iloc[[44]]
    cosine = noon["cos_zenith"].iloc[0]

    def completed(ghi: float, dni: float, dhi: float) -> tuple[float, float]:
        rows = pd.DataFrame({"ghi": [ghi], "dni": [dni], "dhi": [dhi]}, index=noon.index)
        row = with_components(rows, noon).iloc[0]
        return row["dni"], row["dhi"]

    assert completed(700, np.nan, 100) == pytest.approx((600 / cosine, 100))
    assert completed(700, 600, np.nan) == pytest.approx((600, 700 - 600 * cosine))
    assert completed(700, 640, 110) == (640, 110)
    assert all(np.isnan(completed(np.nan, np.nan, np.nan)))


def test_global_irradiance_alone_is_split_for_an_overcast_and_a_clear_hour(site):
    noon = sun_at_middle(site.place, DAY[[44, 45]])
    rows = pd.DataFrame({"ghi": [100.0, 800.0], "dni": np.nan, "dhi": np.nan}, index=noon.index)
    split = with_components(rows, noon)
    assert split["dhi"].iloc[0] > 97
    assert split["dhi"].iloc[1] < 250
    assert (split["dni"] * noon["cos_zenith"] + split["dhi"]).tolist() == pytest.approx([100, 800])


@pytest.mark.parametrize("day", ["2026-01-22", "2026-04-10", "2026-06-21"])
def test_the_beam_of_a_clear_day_is_found_again_in_its_global_irradiance(site, day):
    place, starts = site.place, pd.date_range(day, periods=96, freq="15min", tz="UTC", unit="us")
    clear = Location(place.latitude, place.longitude, altitude=place.altitude).get_clearsky(
        starts + pd.Timedelta("7min30s"), linke_turbidity=3.0
    )
    rows = pd.DataFrame({"ghi": clear["ghi"].to_numpy(), "dni": np.nan, "dhi": np.nan}, index=starts)
    split = with_components(rows, sun_at_middle(place, starts))
    assert split["dni"].sum() == pytest.approx(clear["dni"].sum(), rel=0.3)


def test_low_sun_is_diffuse(site):
    sun = sun_at_middle(site.place, DAY)
    low = sun[(sun["zenith"] > 88.1) & (sun["zenith"] < 90)]
    split = with_components(pd.DataFrame({"ghi": 10.0, "dni": np.nan, "dhi": 4.0}, index=low.index), low)
    assert (split["dni"].eq(0) & split["dhi"].eq(10)).all()
    assert len(split) > 0


def test_the_sun_stands_where_it_stands_at_the_middle(site):
    place = site.place
    middle = DAY + pd.Timedelta("7min30s")
    expected = solarposition.get_solarposition(middle, place.latitude, place.longitude, place.altitude)
    sun = sun_at_middle(place, DAY)
    assert sun["zenith"].to_numpy() == pytest.approx(expected["apparent_zenith"].to_numpy(), abs=1e-6)
    assert sun["cos_zenith"].min() == 0
