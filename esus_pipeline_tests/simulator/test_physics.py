import numpy as np
import pytest

from esus_pipeline.simulator.building import draw_building
from esus_pipeline.simulator.noise import DAY, smooth, uniform
from esus_pipeline.simulator.shading import Limits, _motor, _release
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.simulator.week import HISTORY_MINUTES, Truth, simulate_weeks, week_of
from esus_pipeline.site import Site

from .conftest import ms

WORKDAY_HOURS = np.r_[*(range(d * 1440 + 8 * 60, d * 1440 + 14 * 60) for d in range(5))]


@pytest.fixture(scope="module")
def weather(site: Site) -> Weather:
    return Weather(1, site.place.latitude, site.place.longitude, site.place.altitude)


@pytest.fixture(scope="module")
def seasons(site: Site, weather: Weather) -> tuple[Truth, Truth]:
    numbers = [week_of(ms(day) // 1000) for day in ("2026-02-02", "2026-07-06")]
    truths = simulate_weeks(site, draw_building(site, 1), weather, numbers)
    trimmed = [{key: series[HISTORY_MINUTES:] for key, series in truths[number].items()} for number in numbers]
    return trimmed[0], trimmed[1]


def test_rooms_stay_between_18_and_30_degrees(site: Site, seasons: tuple[Truth, Truth]) -> None:
    for truth in seasons:
        for room in site.room_ids:
            air = truth[room, "air_temperature"]
            assert 18 <= air.min() < air.max() <= 30
            assert np.abs(np.diff(air)).max() < 1.0


def test_heating_is_for_the_winter(site: Site, seasons: tuple[Truth, Truth]) -> None:
    winter, summer = seasons
    valves = [np.mean([t[room, "radiator_valve"].mean() for room in site.room_ids]) for t in seasons]
    assert valves[0] > 1
    assert valves[1] < 0.5
    assert winter[None, "heating_power"].mean() > 2 * summer[None, "heating_power"].mean()
    assert np.all(winter[None, "heating_supply_temperature"] > winter[None, "heating_return_temperature"])


def test_co2_rises_with_people(site: Site, seasons: tuple[Truth, Truth]) -> None:
    winter, _ = seasons
    for room in site.room_ids:
        co2, motion = winter[room, "co2"], winter[room, "occupancy"]
        assert 415 < co2.min() < 480
        assert 700 < co2.max() < 2500
        assert co2[motion > 0].mean() > co2[motion == 0].mean() + 80


def test_sun_raises_the_temperature(site: Site, weather: Weather, seasons: tuple[Truth, Truth]) -> None:
    """The same building and people under a sky with and without sun."""

    class Dark(Weather):
        def at(self, time_s):  # type: ignore[no-untyped-def]
            return super().at(time_s).assign(ghi=0.0, dni=0.0, dhi=0.0)

    number = week_of(ms("2026-07-06") // 1000)
    dark = Dark(weather.seed, weather.latitude, weather.longitude, weather.altitude)
    night = simulate_weeks(site, draw_building(site, 1), dark, [number])[number]
    for room in site.room_ids:
        difference = seasons[1][room, "air_temperature"] - night[room, "air_temperature"][HISTORY_MINUTES:]
        assert difference.mean() > 0.3
        assert np.mean(difference > 0) > 0.95


def test_setpoints_follow_mode_and_panel(site: Site, seasons: tuple[Truth, Truth]) -> None:
    winter, _ = seasons
    low, high = winter["1.213", "heating_setpoint"], winter["1.213", "cooling_setpoint"]
    middle = 22 + winter["1.213", "setpoint_offset"]
    assert (low + high) / 2 == pytest.approx(middle)
    assert set(np.round((high - low) / 2, 6)) == {1.0, 2.0, 3.0}
    assert np.all((high - low)[winter["1.213", "occupancy"] > 0] == 2)


def test_shade_has_delay_hysteresis_and_yields_to_wind() -> None:
    limits = Limits(close_above=250, open_below=120, block_wind=10, release_wind=8, hold_minutes=30)
    sun = np.r_[np.full(10, 300.0), np.full(30, 200.0), np.full(30, 100.0)]
    motor = _motor(sun, np.ones(70), limits)
    assert np.flatnonzero(np.diff(motor)).tolist() == [3, 58]  # down in the 5th bright, up in the 20th dark minute
    wind = np.r_[np.full(5, 5.0), 12.0, np.full(40, 9.0), np.full(40, 7.0)]
    released = _release(wind, limits)
    assert np.flatnonzero(np.diff(released)).tolist() == [4, 74]  # at once; free in the 30th calm minute
    assert _motor(np.full(86, 400.0), released, limits)[5:75].max() == 0


def test_weather_is_danish(weather: Weather) -> None:
    year = weather.at(ms("2025-01-01") // 1000 + 1800 * np.arange(365 * 48))
    assert 800 < year["ghi"].sum() / 2000 < 1100  # kWh/m2 a
    assert 7 < year["temp_air"].mean() < 10
    assert year["temp_air"].min() > -20
    assert 22 < year["temp_air"].max() < 36
    assert 4 < year["wind_speed"].mean() < 6.5
    assert (year["wind_gust"] >= year["wind_speed"]).all()
    assert year.loc[year["zenith"] > 95, "ghi"].max() == 0
    closure = year["dni"] * np.cos(np.radians(year["zenith"])).clip(lower=0) + year["dhi"] - year["ghi"]
    assert closure.abs().max() < 1e-6


def test_weather_does_not_depend_on_what_else_is_asked(weather: Weather) -> None:
    time_s = ms("2026-06-21") // 1000 + 60 * np.arange(1440)
    day, minute = weather.at(time_s), weather.at(time_s[777:778])
    assert minute.iloc[0].to_numpy() == pytest.approx(day.iloc[777].to_numpy(), rel=1e-12)


def test_noise_has_the_size_it_says_and_depends_on_every_part_of_its_name() -> None:
    time_s = np.arange(0, 2000 * DAY, DAY / 7)
    noise = smooth(1, "a", time_s, DAY)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(1, abs=0.06)
    assert np.corrcoef(noise, smooth(1, "b", time_s, DAY))[0, 1] == pytest.approx(0, abs=0.1)
    assert np.corrcoef(noise, smooth(2, "a", time_s, DAY))[0, 1] == pytest.approx(0, abs=0.1)
    draws = uniform(5, "x", np.arange(100_000))
    assert np.histogram(draws, 10, (0, 1))[0] / 100_000 == pytest.approx(np.full(10, 0.1), abs=0.005)
