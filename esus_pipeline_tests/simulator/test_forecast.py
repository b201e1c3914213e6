from datetime import timedelta

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from esus_pipeline.simulator import metno, openmeteo
from esus_pipeline.simulator.forecast import RUN_S, Forecaster, latest_run
from esus_pipeline.simulator.noise import DAY, HOUR
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.site import Site

from .conftest import NOW, ms


@pytest.fixture(scope="module")
def weather(site: Site) -> Weather:
    return Weather(1, site.place.latitude, site.place.longitude, site.place.altitude)


def ask(weather: Weather, now=NOW, **parameters: str) -> dict:  # type: ignore[no-untyped-def, type-arg]
    place = {"latitude": str(weather.latitude), "longitude": str(weather.longitude)}
    return openmeteo.answer(openmeteo.parse(QueryParams({**place, **parameters}), now), weather, now)


def test_error_grows_with_the_horizon(weather: Weather) -> None:
    forecaster = Forecaster(weather, "test")
    valid = ms("2026-05-01 12:00") // 1000 + DAY * np.arange(40)
    truth = weather.at(valid)["temp_air"].to_numpy()
    errors, clouds = [], []
    exact = forecaster.quarter_hours(valid, valid)["ghi"].to_numpy()
    for lead in (0, 6, 24, 72):
        table = forecaster.quarter_hours(valid, valid - lead * HOUR)
        errors.append(float(np.sqrt(np.mean((table["temp_air"].to_numpy() - truth) ** 2))))
        clouds.append(float(np.sqrt(np.mean((table["ghi"].to_numpy() - exact) ** 2))))
    assert errors[0] < errors[1] < errors[2] < errors[3]
    assert errors[0] < 0.7
    assert 1.0 < errors[3] < 3.0
    assert clouds[0] == 0
    assert clouds[1] < clouds[2] < clouds[3] < 350


@pytest.mark.parametrize("day", ["2026-01-22", "2026-06-19", "2026-07-16"])
def test_the_beam_of_a_clear_day_is_forecast_as_strong_as_it_is(weather: Weather, day: str) -> None:
    start = ms(f"{day} 00:00") // 1000
    quarters = start + 900 * np.arange(1, 97)
    truth = weather.at(start + 60 * np.arange(1440) + 30)["dni"].sum() / 60
    forecast = Forecaster(weather, "test").quarter_hours(quarters, quarters)["dni"].sum() / 4
    assert forecast == pytest.approx(truth, rel=0.12)


def test_a_run_is_known_two_hours_after_its_start() -> None:
    assert latest_run(ms("2026-07-20 10:00") // 1000) == ms("2026-07-20 06:00") // 1000
    assert latest_run(ms("2026-07-20 11:00") // 1000) == ms("2026-07-20 09:00") // 1000
    assert RUN_S == 3 * 3600


def test_a_forecast_stays_the_same_until_the_next_issue(weather: Weather) -> None:
    wanted = {"hourly": "temperature_2m,shortwave_radiation", "start_date": "2026-07-20", "end_date": "2026-07-22"}
    first, same, later = (ask(weather, NOW + timedelta(minutes=m), **wanted)["hourly"] for m in (0, 59, 60))
    assert first == same
    assert first["temperature_2m"][:6] == later["temperature_2m"][:6]
    assert first["temperature_2m"][12:] != later["temperature_2m"][12:]


def test_the_range_asked_for_does_not_change_a_value(weather: Weather) -> None:
    days = ask(weather, minutely_15="shortwave_radiation,temperature_2m", forecast_days="3")["minutely_15"]
    part = ask(
        weather,
        minutely_15="shortwave_radiation,temperature_2m",
        start_minutely_15="2026-07-20T23:30",
        end_minutely_15="2026-07-21T12:15",
    )["minutely_15"]
    start = days["time"].index("2026-07-20T23:30")
    for name in ("shortwave_radiation", "temperature_2m"):
        assert part[name] == days[name][start : start + len(part["time"])]
    assert len(part["time"]) == 52


def test_an_hour_is_the_mean_of_the_four_quarters_before_it(weather: Weather) -> None:
    names = "shortwave_radiation,direct_normal_irradiance,wind_gusts_10m"
    body = ask(weather, hourly=names, minutely_15=names, forecast_days="2")
    hour = body["hourly"]["time"].index("2026-07-21T11:00")
    end = body["minutely_15"]["time"].index("2026-07-21T11:00")
    for name in ("shortwave_radiation", "direct_normal_irradiance"):
        quarters = body["minutely_15"][name][end - 3 : end + 1]
        assert body["hourly"][name][hour] == pytest.approx(np.mean(quarters), abs=0.11)
    assert body["hourly"]["wind_gusts_10m"][hour] == max(body["minutely_15"]["wind_gusts_10m"][end - 3 : end + 1])


def test_radiation_is_the_mean_over_the_interval_before_the_stamp(weather: Weather) -> None:
    """Against the truth: the stamp at the end of the interval fits better than the stamp at its start."""
    past = ask(weather, minutely_15="shortwave_radiation", start_date="2026-06-01", end_date="2026-06-30")[
        "minutely_15"
    ]
    stamps = np.array(past["time"], dtype="datetime64[s]").astype(np.int64)
    minutes = stamps[:, None] - 450 + np.arange(-6, 7) * 60
    truth = weather.at(minutes.ravel())["ghi"].to_numpy().reshape(minutes.shape).mean(axis=1)
    forecast = np.array(past["shortwave_radiation"])
    errors = [np.abs(forecast - np.roll(truth, shift)).mean() for shift in (0, 1, -1)]
    assert errors[0] == min(errors)
    assert errors[0] < 40


def test_past_dates_are_near_the_truth_for_another_place_and_time() -> None:
    odense = Weather(1, 55.367, 10.432, 15)
    body = ask(odense, hourly="temperature_2m,shortwave_radiation", start_date="2017-03-21", end_date="2017-04-21")
    stamps = np.array(body["hourly"]["time"], dtype="datetime64[s]").astype(np.int64)
    assert len(stamps) == 32 * 24
    assert None not in body["hourly"]["shortwave_radiation"]
    error = np.array(body["hourly"]["temperature_2m"]) - odense.at(stamps)["temp_air"].to_numpy()
    assert np.sqrt(np.mean(error**2)) < 0.8


def test_beam_diffuse_and_global_fit_each_other(weather: Weather) -> None:
    names = "shortwave_radiation,direct_radiation,diffuse_radiation,direct_normal_irradiance"
    body = ask(weather, minutely_15=names, forecast_days="3")["minutely_15"]
    ghi, beam, diffuse, dni = (np.array(body[name]) for name in names.split(","))
    assert ghi == pytest.approx(beam + diffuse, abs=0.11)
    assert min(ghi.min(), beam.min(), diffuse.min(), dni.min()) >= -0.05
    assert dni.max() < 1050
    assert ghi.max() > 200


def test_previous_day_is_what_was_known_a_day_before(weather: Weather) -> None:
    names = "temperature_2m,temperature_2m_previous_day1,temperature_2m_previous_day5"
    body = ask(weather, hourly=names, start_date="2026-06-01", end_date="2026-06-30")["hourly"]
    now, day, five = (np.array(body[name]) for name in names.split(","))
    assert 0.3 < np.abs(day - now).mean() < np.abs(five - now).mean()


def test_beyond_the_horizon_is_null_and_units_follow(weather: Weather) -> None:
    body = ask(weather, hourly="temperature_2m,wind_speed_10m", models="dmi_seamless", forecast_days="7")
    hours = body["hourly"]["time"]
    known = [t for t, v in zip(hours, body["hourly"]["temperature_2m"], strict=True) if v is not None]
    assert known[-1] == "2026-07-22T18:00"  # 60 h after the run of 06:00
    assert body["hourly_units"]["wind_speed_10m"] == "km/h"
    metres = ask(weather, hourly="wind_speed_10m", models="dmi_seamless", wind_speed_unit="ms", forecast_days="1")
    assert metres["hourly_units"]["wind_speed_10m"] == "m/s"
    assert metres["hourly"]["wind_speed_10m"][3] * 3.6 == pytest.approx(body["hourly"]["wind_speed_10m"][3], abs=0.03)


def test_several_models_carry_their_name(weather: Weather) -> None:
    body = ask(weather, hourly="temperature_2m", models="dmi_seamless,ecmwf_ifs025", forecast_days="1")["hourly"]
    assert set(body) == {"time", "temperature_2m_dmi_seamless", "temperature_2m_ecmwf_ifs025"}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"latitude": "300"}, "Latitude must be in range of -90 to 90°. Given: 300."),
        ({"latitude": "x"}, "Float"),
        ({"hourly": "nonsense"}, "nonsense"),
        ({"forecast_days": "17"}, "0 to 16"),
        ({"start_date": "2026-07-01"}, "YYYY-MM-DD"),
        ({"start_date": "2026-07-02", "end_date": "2026-07-01"}, "larger"),
        ({"start_date": "2026-07-02", "end_date": "2026-09-01"}, "out of allowed range"),
        ({"wind_speed_unit": "knots"}, "knots"),
        ({"timezone": "Europe/Berlin"}, "GMT"),
    ],
)
def test_wrong_requests_are_refused_with_a_reason(weather: Weather, parameters: dict[str, str], reason: str) -> None:
    with pytest.raises(openmeteo.QueryError, match=reason.replace(".", r"\.")):
        ask(weather, **parameters)


def test_met_norway_has_no_radiation_and_gusts_only_for_the_near_hours(weather: Weather) -> None:
    properties = metno.answer(57.0, 9.9, weather, NOW)["properties"]
    series = properties["timeseries"]  # type: ignore[index]
    assert series[0]["time"] == "2026-07-20T10:00:00Z"
    assert properties["meta"]["updated_at"] == "2026-07-20T08:00:00Z"  # type: ignore[index]
    assert len(series) == 60 + 26
    assert "wind_speed_of_gust" in series[59]["data"]["instant"]["details"]
    assert "wind_speed_of_gust" not in series[60]["data"]["instant"]["details"]


@pytest.mark.parametrize(
    ("agent", "known"),
    [
        ("esus/1.0 me@example.org", True),
        ("esus https://example.org", True),
        ("esus/1.0 (demo@localhost)", True),
        ("python-httpx/0.28.1", False),
        ("", False),
    ],
)
def test_a_user_agent_needs_a_contact(agent: str, known: bool) -> None:
    assert metno.identifies(agent) is known
