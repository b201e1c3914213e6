import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pvlib.solarposition import sun_rise_set_transit_spa

from esus_pipeline.frames import STEP, WEATHER_FORECAST
from esus_pipeline.weather import MetNorway, OpenMeteo, RejectedForecastError, met_norway, open_meteo

EXAMPLES = Path(__file__).parent / "examples"
NOW = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)


def test_open_meteo_example(site):
    rows = open_meteo.parse((EXAMPLES / "open_meteo_forecast.json").read_text(), site.place).set_index("valid_time")
    assert list(rows.index.strftime("%H:%M")) == ["10:00", "10:15", "10:30", "10:45"]
    assert rows["temp_air"].tolist() == pytest.approx([18.2, 18.4, 18.6, 18.8])
    assert rows["wind_gust"].tolist() == [8.9] * 4
    assert rows["ghi"].iloc[0] == 623.0, "the 15-minute value stamped 10:15 is about 10:00 to 10:15"
    assert rows["ghi"].iloc[1:].isna().all(), "missing irradiance stays missing"
    assert (rows["dni"].iloc[0], rows["dhi"].iloc[0]) == (655.0, 118.0)


def test_met_norway_example(site):
    rows, issued_at = met_norway.parse((EXAMPLES / "met_locationforecast.json").read_text(), site.place)
    assert issued_at == pd.Timestamp("2026-06-21T09:24:26Z")
    assert rows["cloud_cover"].tolist() == pytest.approx([23, 25, 27, 29])
    assert rows["wind_speed"].tolist() == pytest.approx([5.1375, 5.2125, 5.2875, 5.3625])
    assert rows["wind_gust"].tolist() == [9.0] * 4
    assert rows["ghi"].between(600, 900).all()
    assert (rows["dhi"] < rows["ghi"]).all()


@pytest.mark.parametrize("quarterly", [True, False], ids=["quarters", "hours"])
def test_a_clear_day_is_symmetric_about_solar_noon(site, clear_answer, quarterly):
    """Reading a stamp as the interval's start instead of its end would move the day by 15 or 60 minutes."""
    rows = open_meteo.parse(json.dumps(clear_answer(quarterly=quarterly)), site.place)
    day = rows[rows["valid_time"].dt.date == date(2026, 6, 21)]
    place = site.place
    transit = sun_rise_set_transit_spa(pd.DatetimeIndex(["2026-06-21"], tz="UTC"), place.latitude, place.longitude)
    minutes = ((day["valid_time"] + STEP / 2) - transit["transit"].iloc[0]).dt.total_seconds() / 60
    for name in ("ghi", "dni", "dhi"):
        centre = (minutes * day[name]).sum() / day[name].sum()
        assert abs(centre) < 2, f"{name} is centred {centre:.1f} minutes off solar noon"


def test_hours_alone_give_nearly_the_quarters(site, clear_answer, clear_sky):
    rows = open_meteo.parse(json.dumps(clear_answer(quarterly=False)), site.place).set_index("valid_time")
    truth = clear_sky(pd.DatetimeIndex(rows.index + STEP), "15min").set_axis(rows.index)
    day = slice("2026-06-21 03:00", "2026-06-21 20:00")
    for name, limit in (("ghi", 6), ("dhi", 4), ("dni", 25)):
        assert (rows[name] - truth[name])[day].abs().mean() < limit, name
    hourly_mean = rows["ghi"].resample("h").mean() - truth["ghi"].resample("h").mean()
    assert hourly_mean.abs().max() < 0.01


def test_quarters_that_contradict_the_hours_are_not_used(site, clear_answer):
    document = clear_answer()
    quarterly = document["minutely_15"]
    quarterly["shortwave_radiation"] = [value / 3 for value in quarterly["shortwave_radiation"]]
    spread = open_meteo.parse(json.dumps(document), site.place)
    hours = open_meteo.parse(json.dumps(clear_answer(quarterly=False)), site.place)
    noon = spread["valid_time"].dt.hour == 11
    assert spread.loc[noon, "ghi"].tolist() == pytest.approx(hours.loc[noon, "ghi"].tolist())


def test_open_meteo_request_and_frame(site, server, cache, clear_answer):
    server.answer(json.dumps(clear_answer("2026-06-20", 5)))
    forecast = OpenMeteo(cache(), server.url).forecast(site.place, NOW)
    path = server.paths[0]
    for part in ("latitude=57.0155", "longitude=9.9770", "timezone=GMT", "wind_speed_unit=ms", "minutely_15=shortwave"):
        assert part in path
    assert forecast.received_at == NOW
    rows = forecast.rows.assign(issued_at=pd.Timestamp(NOW), source=forecast.source, kind="forecast")
    assert len(WEATHER_FORECAST.conform(rows)) == 5 * 96 - 4


def test_past_days_go_to_the_history_server_when_they_are_old(site, server, cache, clear_answer):
    server.answer(json.dumps(clear_answer()))
    source = OpenMeteo(cache(), server.url + "/recent", server.url + "/history/")
    source.past(site.place, date(2026, 6, 1), date(2026, 6, 3), NOW)
    source.past(site.place, date(2026, 3, 1), date(2026, 3, 3), NOW)
    assert [path.split("?")[0] for path in server.paths] == ["/recent/v1/forecast", "/history/v1/forecast"]
    assert "start_date=2026-03-01&end_date=2026-03-03" in server.paths[1]
    assert source.requests == 2


def test_met_norway_request(site, server, cache):
    server.answer((EXAMPLES / "met_locationforecast.json").read_text())
    forecast = MetNorway(cache(contact="ops@example.org"), server.url).forecast(site.place, NOW)
    assert server.paths == ["/weatherapi/locationforecast/2.0/complete?lat=57.0155&lon=9.9770&altitude=20"]
    assert forecast.stated_issue == pd.Timestamp("2026-06-21T09:24:26Z")


def test_met_norway_ends_where_its_steps_are_no_longer_hourly(site):
    document = json.loads((EXAMPLES / "met_locationforecast.json").read_text())
    later = json.loads(json.dumps(document["properties"]["timeseries"][1]))
    later["time"] = "2026-06-21T17:00:00Z"
    document["properties"]["timeseries"].append(later)
    rows, _ = met_norway.parse(json.dumps(document), site.place)
    assert rows["valid_time"].max() == pd.Timestamp("2026-06-21T10:45Z")


def _set(document: dict, path: str, value: object) -> None:
    *parents, last = path.split("/")
    for name in parents:
        document = document[int(name) if isinstance(document, list) else name]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("hourly_units/temperature_2m", "°F", "wrong_unit"),
        ("hourly_units/wind_gusts_10m", "km/h", "wrong_unit"),
        ("minutely_15_units/diffuse_radiation", None, "wrong_unit"),
        ("hourly_units/time", "unixtime", "wrong_unit"),
        ("utc_offset_seconds", 7200, "wrong_time_zone"),
        ("hourly/time", ["2026-06-21T11:00", "2026-06-21T10:00"], "stamps_not_increasing"),
        ("hourly/time", ["2026-06-21T10:00", "2026-06-21T13:00"], "wrong_schema"),
        ("hourly/time", ["2026-06-21T10:00", "noon"], "wrong_schema"),
        ("hourly/time", ["2026-06-21T10:00", 7], "wrong_schema"),
        ("hourly/time", [], "wrong_schema"),
        ("hourly/temperature_2m", [18.1], "wrong_schema"),
        ("hourly/temperature_2m", [18.1, "18.9"], "wrong_schema"),
        ("hourly/temperature_2m", [18.1, True], "wrong_schema"),
        ("hourly", None, "wrong_schema"),
        ("hourly/temperature_2m", [18.1, float("nan")], "out_of_bounds"),
    ],
)
def test_open_meteo_answers_that_are_refused(site, path, value, reason):
    document = json.loads((EXAMPLES / "open_meteo_forecast.json").read_text())
    _set(document, path, value)
    with pytest.raises(RejectedForecastError) as refusal:
        open_meteo.parse(json.dumps(document), site.place)
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("properties/meta/units/air_temperature", "fahrenheit", "wrong_unit"),
        ("properties/meta/units/wind_speed_of_gust", "kt", "wrong_unit"),
        ("properties/meta/units", None, "wrong_unit"),
        ("properties/meta/updated_at", "2026-06-21 09:24", "wrong_schema"),
        ("properties/timeseries", {}, "wrong_schema"),
        ("properties/timeseries/1/time", "2026-06-21T10:00:00Z", "stamps_not_increasing"),
        ("properties/timeseries/1/time", "2026-06-21T16:00:00Z", "wrong_schema"),
        ("properties/timeseries/0/data", {}, "wrong_schema"),
        ("properties/timeseries/0/data/instant/details", [], "wrong_schema"),
    ],
)
def test_met_norway_answers_that_are_refused(site, path, value, reason):
    document = json.loads((EXAMPLES / "met_locationforecast.json").read_text())
    _set(document, path, value)
    with pytest.raises(RejectedForecastError) as refusal:
        met_norway.parse(json.dumps(document), site.place)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("parse", [open_meteo.parse, met_norway.parse])
@pytest.mark.parametrize(("body", "reason"), [("<html>busy</html>", "not_json"), ("[]", "wrong_schema")])
def test_answers_that_are_no_forecast(site, parse, body, reason):
    with pytest.raises(RejectedForecastError) as refusal:
        parse(body, site.place)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("name", ["open_meteo_forecast.json", "met_locationforecast.json"])
def test_an_answer_cut_anywhere_is_refused_whole(site, name):
    body = (EXAMPLES / name).read_text().strip()
    parse = met_norway.parse if name.startswith("met") else open_meteo.parse
    for length in np.linspace(0, len(body) - 1, 40).astype(int):
        with pytest.raises(RejectedForecastError):
            parse(body[:length], site.place)


def _paths(node: object, path: tuple = ()) -> list[tuple]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path] * bool(path) + [found for key, child in children for found in _paths(child, (*path, key))]


JUNK = (None, {}, [], "x", -5, True, 1e308, [[1]], "2026-06-21T10:00")


@pytest.mark.parametrize("name", ["open_meteo_forecast.json", "met_locationforecast.json"])
@pytest.mark.parametrize("turn", [0, 1])
def test_junk_anywhere_is_read_or_refused_and_never_anything_else(site, name, turn):
    body = (EXAMPLES / name).read_text()
    parse = met_norway.parse if name.startswith("met") else open_meteo.parse
    outcomes = []
    for number, (*parents, last) in enumerate(_paths(json.loads(body))):
        document = json.loads(body)
        node = document
        for key in parents:
            node = node[key]
        node[last] = JUNK[(2 * number + turn) % len(JUNK)]
        try:
            parse(json.dumps(document), site.place)
            outcomes.append("read")
        except RejectedForecastError:
            outcomes.append("refused")
    assert set(outcomes) == {"read", "refused"}
