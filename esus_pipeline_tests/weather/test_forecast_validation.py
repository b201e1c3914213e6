import json

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.weather import RejectedForecastError, open_meteo
from esus_pipeline.weather.validate import judged

NOON = pd.Timestamp("2026-06-21T11:00Z")
TWILIGHT = pd.Timestamp("2026-06-21T20:45Z")


@pytest.fixture
def rows(site, clear_answer):
    return open_meteo.parse(json.dumps(clear_answer()), site.place)


def test_a_clear_day_is_accepted_whole(site, rows):
    pd.testing.assert_frame_equal(judged("s", rows, site.place), rows)


@pytest.mark.parametrize(
    ("name", "when", "value", "reason"),
    [
        ("temp_air", NOON, 80.0, "out_of_bounds"),
        ("temp_air", NOON, -61.0, "out_of_bounds"),
        ("wind_speed", NOON, -1.0, "out_of_bounds"),
        ("wind_speed", NOON, 76.0, "out_of_bounds"),
        ("wind_gust", NOON, 200.0, "out_of_bounds"),
        ("cloud_cover", NOON, 101.0, "out_of_bounds"),
        ("ghi", NOON, -1.0, "out_of_bounds"),
        ("dni", NOON, 1600.0, "out_of_bounds"),
        ("dhi", NOON, -1.0, "out_of_bounds"),
        ("ghi", NOON, 1300.0, "too_much_sun"),
        ("ghi", TWILIGHT, 60.0, "too_much_sun"),
        ("ghi", NOON, np.nan, "missing_values"),
        ("temp_air", NOON, np.nan, "missing_values"),
        ("wind_speed", NOON, np.nan, "missing_values"),
    ],
)
def test_one_absurd_value_refuses_everything(site, rows, name, when, value, reason):
    rows.loc[rows["valid_time"] == when, name] = value
    with pytest.raises(RejectedForecastError) as refusal:
        judged("s", rows, site.place)
    assert refusal.value.reason == reason
    assert name in refusal.value.detail


def test_sun_at_night(site, rows):
    december = rows.assign(valid_time=rows["valid_time"] + pd.Timedelta(days=183), ghi=20.0)
    with pytest.raises(RejectedForecastError) as refusal:
        judged("s", december, site.place)
    assert refusal.value.reason == "sun_at_night"


@pytest.mark.parametrize("hours", [-2, -1, 1, 2])
def test_radiation_shifted_by_an_hour_betrays_itself(site, rows, hours):
    shifted = rows.copy()
    for name in ("ghi", "dni", "dhi"):
        shifted[name] = np.roll(rows[name], 4 * hours)
    with pytest.raises(RejectedForecastError) as refusal:
        judged("s", shifted, site.place)
    assert refusal.value.reason in ("components_disagree", "too_much_sun", "sun_at_night")


def test_swapped_components_betray_themselves(site, rows):
    swapped = rows.assign(dni=rows["dhi"], dhi=rows["dni"])
    with pytest.raises(RejectedForecastError) as refusal:
        judged("s", swapped, site.place)
    assert refusal.value.reason == "components_disagree"


def test_gust_and_cloud_may_be_missing(site, rows):
    without = rows.assign(wind_gust=np.nan, cloud_cover=np.nan)
    assert len(judged("s", without, site.place)) == len(rows)


def test_a_variable_that_ends_early_ends_the_forecast(site, rows):
    rows.loc[rows.index[200:], "ghi"] = np.nan
    assert len(judged("s", rows, site.place)) == 200


def test_nothing_but_nulls(site, rows):
    with pytest.raises(RejectedForecastError, match="wind_speed has no value"):
        judged("s", rows.assign(wind_speed=np.nan), site.place)


def test_zero_irradiance_at_night_is_fine_and_darkness_all_day_is_possible(site, rows):
    dark = rows.assign(ghi=0.0, dni=0.0, dhi=0.0)
    assert len(judged("s", dark, site.place)) == len(rows)
