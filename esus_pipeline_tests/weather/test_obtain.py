"""Windows, issues and what was known when; the sources are the real ones, against a server on a real socket."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from esus_pipeline.frames import WEATHER_FORECAST
from esus_pipeline.weather import MetNorway, OpenMeteo, is_current, known_at, obtain

AS_OF = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
NOW = AS_OF + timedelta(minutes=3)
HOUR = timedelta(hours=1)
NOTHING = WEATHER_FORECAST.empty()


def quarter(number: int) -> timedelta:
    return number * timedelta(minutes=15)


def met_answer(updated_at: str = "2026-06-21T09:24:26Z", hours: int = 62, start: str = "2026-06-21T10:00Z") -> dict:
    details = {"air_temperature": 15.0, "cloud_area_fraction": 60.0, "wind_speed": 5.0}
    units = {"air_temperature": "celsius", "cloud_area_fraction": "%", "wind_speed": "m/s"}
    stamps = pd.date_range(start, periods=hours, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    series = [{"time": stamp, "data": {"instant": {"details": details}}} for stamp in stamps]
    return {"properties": {"meta": {"updated_at": updated_at, "units": units}, "timeseries": series}}


class Upstream:
    """Both services on one server; `open_meteo` and `met_norway` are what they answer, None for an error 503."""

    def __init__(self, server, clear_answer):
        self.open_meteo = clear_answer("2026-06-20", 5)
        self.met_norway = met_answer()
        self.ranges: list[tuple[str, str]] = []
        self._clear_answer = clear_answer
        server.respond = self._respond

    def _respond(self, handler):
        address = urlsplit(handler.path)
        query = parse_qs(address.query)
        document = self.met_norway if address.path.startswith("/weatherapi") else self.open_meteo
        if document is not None and "start_date" in query:
            first, last = query["start_date"][0], query["end_date"][0]
            self.ranges.append((first, last))
            document = self._clear_answer(first, (pd.Timestamp(last) - pd.Timestamp(first)).days + 1)
        body = json.dumps(document).encode()
        handler.send_response(503 if document is None else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def upstream(server, clear_answer):
    return Upstream(server, clear_answer)


@pytest.fixture
def sources(server, cache):
    return [OpenMeteo(cache(), server.url), MetNorway(cache(contact="ops@example.org"), server.url)]


def stored(*found) -> pd.DataFrame:
    frames = [each.rows for each in found if len(each.rows)]
    return pd.concat(frames, ignore_index=True) if frames else NOTHING


def test_live_window_gets_an_issue_known_at_its_end(site, sources, upstream):
    found = obtain(site, sources, NOTHING, [AS_OF], NOW)
    assert (found.issued_at, found.kind, found.source) == (pd.Timestamp(AS_OF), "forecast", "open-meteo")
    assert (found.age_seconds, found.current, found.requests, found.notes) == (0, True, 1, ())
    assert found.rows["valid_time"].min() == pd.Timestamp(AS_OF) - HOUR
    assert found.rows["valid_time"].max() == pd.Timestamp(AS_OF) + 60 * HOUR - quarter(1)
    assert len(known_at(found.rows, AS_OF)) == 61 * 4
    assert not found.rows.duplicated(["issued_at", "valid_time"]).any()


def test_unchanged_answer_stores_nothing_until_it_is_three_hours_old(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    counts = {}
    for number in (1, 2, 11, 13):
        later = obtain(site, sources, first.rows, [AS_OF + quarter(number)], NOW + quarter(number))
        counts[number] = (later.requests, len(later.rows), later.age_seconds)
    assert counts == {1: (0, 0, 900), 2: (1, 0, 1800), 11: (1, 0, 9900), 13: (1, 244, 0)}


def test_changed_answer_is_a_new_issue(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    upstream.open_meteo["hourly"]["temperature_2m"] = [19.0] * 120
    later = obtain(site, sources, first.rows, [AS_OF + quarter(2)], NOW + quarter(2))
    assert later.issued_at == pd.Timestamp(AS_OF) + quarter(2)
    both = stored(first, later)
    assert known_at(both, AS_OF + quarter(1))["temp_air"].unique() == [18.0]
    assert known_at(both, AS_OF + quarter(2))["temp_air"].unique() == [19.0]


def test_running_a_window_again_changes_nothing(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    upstream.open_meteo["hourly"]["temperature_2m"] = [19.0] * 120
    again = obtain(site, sources, first.rows, [AS_OF], NOW + quarter(2))
    assert (again.requests, len(again.rows), again.issued_at) == (1, 0, pd.Timestamp(AS_OF))


def test_first_windows_of_the_last_hour_are_all_served(site, sources, upstream):
    windows = [AS_OF - quarter(number) for number in range(4)]
    found = obtain(site, sources, NOTHING, windows, NOW)
    assert found.requests == 1
    assert all(is_current(known_at(found.rows, window), window) for window in windows)


def test_fallback_is_used_with_its_own_issue_time(site, sources, upstream):
    upstream.open_meteo = None
    found = obtain(site, sources, NOTHING, [AS_OF], NOW)
    assert (found.source, found.issued_at) == ("met-norway", pd.Timestamp("2026-06-21T09:24:26Z"))
    assert (found.requests, found.age_seconds) == (2, 2134)
    assert "HTTP 503" in found.notes[0]
    assert found.rejected.empty
    again = obtain(site, sources, found.rows, [AS_OF + quarter(1)], NOW + quarter(1))
    assert (len(again.rows), again.source) == (0, "met-norway")


def test_fallback_older_than_what_is_known_does_not_rewrite_the_past(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    upstream.open_meteo = None
    later = obtain(site, sources, first.rows, [AS_OF + 2 * HOUR], NOW + 2 * HOUR)
    assert (len(later.rows), later.source, later.age_seconds) == (0, "open-meteo", 7200)


@pytest.mark.parametrize(
    ("updated_at", "reason"),
    [("2026-06-21T04:00:00Z", "stale"), ("2026-06-21T10:30:00Z", "issued_in_future")],
)
def test_fallback_with_a_wrong_issue_time_is_refused(site, sources, upstream, updated_at, reason):
    upstream.open_meteo, upstream.met_norway = None, met_answer(updated_at)
    found = obtain(site, sources, NOTHING, [AS_OF], NOW)
    assert found.rejected["reason"].tolist() == [reason]


def test_absurd_forecast_is_quarantined_and_the_next_source_tried(site, sources, upstream):
    upstream.open_meteo["hourly"]["temperature_2m"][40] = 80.0
    found = obtain(site, sources, NOTHING, [AS_OF], NOW)
    assert found.source == "met-norway"
    refused = found.rejected.iloc[0]
    assert (refused["source"], refused["reason"]) == ("open-meteo", "out_of_bounds")
    assert refused["record"].startswith("temp_air")


def test_forecast_that_ends_too_soon_is_refused(site, sources, upstream, clear_answer):
    upstream.open_meteo, upstream.met_norway = clear_answer("2026-06-20", 3), met_answer(hours=40)
    found = obtain(site, sources, NOTHING, [AS_OF], NOW)
    assert found.rejected["reason"].tolist() == ["horizon_too_short"] * 2
    assert (found.issued_at, found.current, len(found.rows)) == (None, False, 0)


def test_when_everything_fails_the_last_good_forecast_stands_with_its_age(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    upstream.open_meteo = upstream.met_norway = None
    ages = {}
    for hours in (1, 5, 6, 7):
        later = obtain(site, sources, first.rows, [AS_OF + hours * HOUR], NOW + hours * HOUR)
        assert (later.issued_at, len(later.rows)) == (pd.Timestamp(AS_OF), 0)
        ages[hours] = (later.age_seconds, later.current)
    assert ages == {1: (3600, True), 5: (18000, True), 6: (21600, False), 7: (25200, False)}


def test_past_window_uses_what_was_known_then(site, sources, upstream):
    first = obtain(site, sources, NOTHING, [AS_OF], NOW)
    past = obtain(site, sources, first.rows, [AS_OF + 5 * HOUR], NOW + 48 * HOUR)
    assert (past.requests, past.kind, past.issued_at) == (0, "forecast", pd.Timestamp(AS_OF))


def test_past_window_without_a_forecast_gets_the_hindcast_of_its_day(site, sources, upstream):
    found = obtain(site, sources, NOTHING, [AS_OF], NOW + 48 * HOUR)
    midnight = pd.Timestamp("2026-06-21T00:00Z")
    assert (found.kind, found.issued_at, found.current) == ("hindcast", midnight, True)
    assert upstream.ranges == [("2026-06-21", "2026-06-23")]
    assert (found.rows["valid_time"].min(), len(found.rows)) == (midnight, 240)
    again = obtain(site, sources, found.rows, [AS_OF + HOUR], NOW + 48 * HOUR)
    assert (again.requests, len(again.rows), again.kind) == (0, 0, "hindcast")


def test_last_window_of_a_day_belongs_to_that_day(site, sources, upstream):
    end_of_day = datetime(2026, 6, 22, 0, 0, tzinfo=UTC)
    found = obtain(site, sources, NOTHING, [end_of_day], end_of_day + 48 * HOUR)
    assert found.issued_at == pd.Timestamp("2026-06-21T00:00Z")
    assert found.rows["valid_time"].max() >= pd.Timestamp(end_of_day) + 36 * HOUR - quarter(1)


def test_a_month_is_asked_in_few_requests_and_cut_by_day(site, sources, upstream):
    windows = pd.date_range("2026-05-01T00:15Z", "2026-05-31T00:00Z", freq="15min")
    found = obtain(site, sources, NOTHING, list(windows), NOW)
    assert found.requests == len(upstream.ranges) == 2
    assert upstream.ranges == [("2026-05-01", "2026-05-31"), ("2026-05-30", "2026-06-01")]
    assert found.rows.groupby("issued_at").size().tolist() == [240] * 30
    assert found.rows["issued_at"].dt.strftime("%H:%M").unique() == ["00:00"]


def test_a_range_up_to_now_has_hindcasts_and_then_the_live_forecast(site, sources, upstream):
    windows = pd.date_range(AS_OF - 24 * HOUR, AS_OF, freq="15min")
    found = obtain(site, sources, NOTHING, list(windows), NOW)
    assert found.rows.groupby("issued_at")["kind"].first().tolist() == ["hindcast", "hindcast", "forecast"]
    assert (found.requests, found.kind, found.issued_at) == (2, "forecast", pd.Timestamp(AS_OF))
    kinds = [known_at(found.rows, window)["kind"].iloc[0] for window in windows]
    assert kinds == ["hindcast"] * 96 + ["forecast"]


def test_a_hindcast_never_takes_the_place_of_a_forecast_issued_at_midnight(site, sources, upstream):
    midnight = datetime(2026, 6, 21, 0, 0, tzinfo=UTC)
    live = obtain(site, sources, NOTHING, [midnight], midnight + timedelta(minutes=3))
    assert live.issued_at == pd.Timestamp(midnight)
    past = obtain(site, sources, live.rows, [midnight + 7 * HOUR], midnight + 72 * HOUR)
    both = stored(live, past)
    assert not both.duplicated(["issued_at", "valid_time"]).any()
    assert known_at(both, midnight + HOUR)["kind"].unique() == ["forecast"]
    assert known_at(both, midnight + 7 * HOUR)["kind"].unique() == ["hindcast"]


def test_no_hindcast_to_be_had(site, sources, upstream):
    upstream.open_meteo = None
    windows = pd.date_range("2026-03-01T00:15Z", "2026-05-31T00:00Z", freq="6h")
    found = obtain(site, sources, NOTHING, list(windows), NOW)
    assert (found.requests, found.issued_at, len(found.rows)) == (1, None, 0)
    assert "no hindcast from 2026-03-01 on" in found.notes[-1]


def test_one_bad_day_costs_only_the_issues_that_reach_into_it(site, sources, upstream, server, clear_answer):
    document = clear_answer("2026-05-01", 12)
    document["hourly"]["temperature_2m"][24 * 5 + 12] = 80.0
    server.answer(json.dumps(document))
    windows = [datetime(2026, 5, day, 12, tzinfo=UTC) for day in range(1, 11)]
    found = obtain(site, sources, NOTHING, windows, NOW)
    issued = found.rows["issued_at"].dt.day.unique().tolist()
    assert issued == [1, 2, 3, 7, 8, 9, 10]
    assert found.rejected["reason"].unique().tolist() == ["out_of_bounds"]


def issue(issued_at: datetime, kind: str) -> pd.DataFrame:
    return pd.DataFrame({"issued_at": [pd.Timestamp(issued_at)], "kind": [kind]})


@pytest.mark.parametrize(
    ("issues", "chosen"),
    [
        ([(-1, "forecast"), (-2, "forecast")], -1),
        ([(1, "forecast"), (-2, "forecast")], -2),
        ([(0, "forecast")], 0),
        ([(-5, "forecast"), (-1, "hindcast")], -5),
        ([(-6, "forecast"), (-10, "hindcast")], -10),
        ([(-7, "forecast"), (-25, "hindcast")], -7),
        ([(-30, "forecast"), (-40, "hindcast")], -30),
        ([(1, "forecast")], None),
        ([], None),
    ],
)
def test_which_issue_was_known(issues, chosen):
    frames = [issue(AS_OF + hours * HOUR, kind) for hours, kind in issues]
    known = known_at(pd.concat([issue(AS_OF + 99 * HOUR, "forecast"), *frames], ignore_index=True), AS_OF)
    assert known["issued_at"].tolist() == ([] if chosen is None else [pd.Timestamp(AS_OF + chosen * HOUR)])
    assert is_current(known, AS_OF) == (
        chosen is not None and chosen > -24 and (chosen, "forecast") not in [(-7, "forecast")]
    )
