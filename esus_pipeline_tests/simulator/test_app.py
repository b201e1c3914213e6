import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from esus_pipeline.simulator import SimulatorConfig, create_app
from esus_pipeline.simulator.faults import FAULTS, UnknownFaultError
from esus_pipeline.site import Site

from .conftest import NOW, Serve, serving

DAY = {"starttime": "2026-07-19T00:00:00", "endtime": "2026-07-19T23:59:59"}
AGENT = {"User-Agent": "esus-test me@example.org"}
PLACE = {"latitude": "57.0155", "longitude": "9.9770"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    config = SimulatorConfig(request_s=0.0, point_s=0.0, username="reader", password="secret", now=lambda: NOW)
    with serving(config) as url, httpx.Client(base_url=url, auth=("reader", "secret"), timeout=30) as client:
        yield client


def trend(client: httpx.Client, *ids: int, **parameters: str) -> httpx.Response:
    return client.get("/api/v1/trenddata", params={**DAY, **parameters, "externallogid": [str(i) for i in ids]})


@pytest.fixture
def fault(client: httpx.Client) -> Iterator[None]:
    yield
    for name, state in client.get("/faults").json().items():
        if state["on"]:
            client.delete(f"/faults/{name}")


def test_readings_come_point_by_point_in_order(client: httpx.Client) -> None:
    records = trend(client, 6336, 6023).json()
    ids = [record["externallogid"] for record in records]
    assert ids == sorted(ids, key=[6336, 6023].index)
    for point_id in (6336, 6023):
        stamps = [r["timestamp"] for r in records if r["externallogid"] == point_id]
        assert 90 <= len(stamps) <= 96
        assert stamps == sorted(stamps)
        assert all(len(stamp) == 23 for stamp in stamps)


def test_unknown_ids_are_silently_empty(client: httpx.Client) -> None:
    assert trend(client, 1).json() == []
    assert {r["externallogid"] for r in trend(client, 1, 6023).json()} == {6023}


def test_the_future_is_empty(client: httpx.Client) -> None:
    response = trend(client, 6023, starttime="2026-08-01T00:00:00", endtime="2026-08-02T00:00:00")
    assert response.json() == []


def test_refusals(client: httpx.Client) -> None:
    assert trend(client, 6023, endtime="2026-07-19T00:10:00").status_code == 400
    assert trend(client, *range(1, 102)).status_code == 414
    assert client.get("/api/v2/trenddata").status_code == 404
    assert client.post("/api/v1/trenddata").status_code == 405


@pytest.mark.parametrize("auth", [None, ("reader", "wrong"), ("other", "secret")])
def test_credentials_are_asked_for(client: httpx.Client, auth: tuple[str, str] | None) -> None:
    for path in ("/api/v1/metadata", "/api/v1/trenddata"):
        response = httpx.get(client.base_url.join(path), auth=auth)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic")


def test_malformed_credentials_are_refused(client: httpx.Client) -> None:
    for header in ("Basic !!", "Bearer x", "Basic", "Basic w6k="):
        response = httpx.get(client.base_url.join("/api/v1/metadata"), headers={"Authorization": header})
        assert response.status_code == 401


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(SimulatorConfig(username="reader", password="secret"))


def test_latency_is_per_point_and_requests_do_not_wait_for_each_other(serve: Serve) -> None:
    with_latency = serve(SimulatorConfig(request_s=0.1, point_s=0.1, now=lambda: NOW))
    empty = {"starttime": "2027-01-01T00:00", "endtime": "2027-01-02T00:00"}
    took: list[float] = []

    def ask(count: int) -> None:
        started = time.monotonic()
        trend(with_latency, *range(1, 1 + count), **empty)
        took.append(time.monotonic() - started)

    ask(1)
    ask(5)
    assert 0.2 <= took[0] < 0.5
    assert 0.6 <= took[1] < 0.9
    started = time.monotonic()
    threads = [threading.Thread(target=ask, args=(5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 1.2  # 2.4 s one after another


@pytest.mark.usefixtures("fault")
@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [("http_500", 500, None), ("http_503_retry_after", 503, "2"), ("http_429", 429, "2"), ("unauthorized", 401, None)],
)
def test_faults_by_status(client: httpx.Client, name: str, status: int, retry_after: str | None) -> None:
    client.post(f"/faults/{name}")
    for response in (trend(client, 6023), client.get("/api/v1/metadata")):
        assert response.status_code == status
        assert response.headers.get("Retry-After") == retry_after
        assert response.headers["Content-Type"].startswith("text/html")
    client.delete(f"/faults/{name}")
    assert trend(client, 6023).status_code == 200


@pytest.mark.usefixtures("fault")
def test_faults_in_the_answer(client: httpx.Client, site: Site) -> None:
    whole = trend(client, 6023, 249781)
    client.post("/faults/html_page")
    assert "<html>" in trend(client, 6023).text
    client.delete("/faults/html_page")

    client.post("/faults/truncated_json")
    cut = trend(client, 6023, 249781)
    assert whole.content.startswith(cut.content)
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    client.delete("/faults/truncated_json")

    client.post("/faults/empty")
    assert trend(client, 6023).json() == []
    assert len(client.get("/api/v1/metadata").json()) > 172
    client.delete("/faults/empty")

    client.post("/faults/garbage_values")
    values = [record["value"] for record in trend(client, 6023).json()]
    assert {"21,5", "NaN", None} <= {v for v in values if not isinstance(v, dict)}
    assert sum(isinstance(v, (int, float)) and 15 < v < 30 for v in values) >= 70
    client.delete("/faults/garbage_values")

    client.post("/faults/controller_silent")
    assert {r["externallogid"] for r in trend(client, 6023, 249781).json()} == {249781}


@pytest.mark.usefixtures("fault")
def test_faults_in_the_order_and_time_of_records(client: httpx.Client) -> None:
    plain = trend(client, 6023).json()
    client.post("/faults/duplicate_shuffle")
    shuffled = trend(client, 6023).json()
    client.delete("/faults/duplicate_shuffle")
    assert shuffled[: len(plain)] != plain
    assert len(shuffled) == len(plain) + -(-len(plain) // 3)
    assert {r["timestamp"] for r in shuffled} == {r["timestamp"] for r in plain}
    client.post("/faults/future_stamps")
    assert sum(r["timestamp"].startswith("2099") for r in trend(client, 6023).json()) == -(-len(plain) // 10)


@pytest.mark.usefixtures("fault")
def test_faults_of_one_point_and_a_late_controller(client: httpx.Client) -> None:
    span = {"starttime": "2026-07-20T00:00:00", "endtime": "2026-07-20T12:00:00"}  # local; the end is now

    def told(point: int) -> list[dict]:
        return trend(client, point, **span).json()

    before = told(6397), told(249781)
    for name in ("point_lost", "point_never", "point_absurd", "point_stuck", "controller_late"):
        client.post(f"/faults/{name}")
    assert told(6397) == [each for each in before[0] if each["timestamp"] < "2026-07-20T02"] != []
    assert told(249781) == [each for each in before[1] if each["timestamp"] < "2026-07-20T09"] != []
    assert told(6023) == []
    assert {each["value"] for each in told(6336)} == {999}
    assert {each["value"] for each in told(6401)} == {612}


@pytest.mark.usefixtures("fault")
def test_one_point_fails_whoever_asks_with_it(client: httpx.Client, site: Site) -> None:
    client.post("/faults/one_point_fails")
    bad = site.point_ids[0]
    assert [trend(client, *ids).status_code for ids in ((bad,), (6023, bad), (6023,))] == [500, 500, 200]


@pytest.mark.usefixtures("fault")
def test_flaky_fails_every_third_time(client: httpx.Client) -> None:
    client.post("/faults/flaky")
    codes = [client.get("/api/v1/metadata").status_code for _ in range(6)]
    assert sorted(codes) == [200] * 4 + [502] * 2


@pytest.mark.usefixtures("fault")
@pytest.mark.parametrize("name", ["hang", "slow_drip"])
def test_slow_faults_outlast_a_deadline(client: httpx.Client, name: str) -> None:
    client.post(f"/faults/{name}")
    received, started = b"", time.monotonic()
    with suppress(httpx.ReadTimeout), client.stream("GET", "/api/v1/metadata", timeout=0.8) as response:
        for chunk in response.iter_raw():
            received += chunk
            if time.monotonic() - started > 1.2:
                break
    assert len(received) <= 4
    assert (name == "slow_drip") == (len(received) > 0)


@pytest.mark.usefixtures("fault")
def test_a_fault_ends_by_itself(client: httpx.Client) -> None:
    assert client.post("/faults/http_500?seconds=0.3").json() == {"on": ["http_500"]}
    assert trend(client, 6023).status_code == 500
    time.sleep(0.35)
    assert trend(client, 6023).status_code == 200


def test_unknown_faults(client: httpx.Client) -> None:
    assert client.post("/faults/gremlins").status_code == 404
    assert client.post("/faults/empty?seconds=soon").status_code == 400
    assert set(client.get("/faults").json()) == set(FAULTS)
    with pytest.raises(UnknownFaultError, match="gremlins"):
        create_app(SimulatorConfig(faults=("gremlins",)))


def test_faults_are_for_this_machine_alone() -> None:
    app = create_app(SimulatorConfig())

    async def ask(host: str) -> int:
        transport = httpx.ASGITransport(app=app, client=(host, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.post("/faults/empty?seconds=0")).status_code

    assert [asyncio.run(ask(host)) for host in ("127.0.0.1", "192.0.2.1")] == [200, 403]


def test_open_meteo_over_http(client: httpx.Client) -> None:
    wanted = {"hourly": "temperature_2m", "minutely_15": "shortwave_radiation", "past_days": "1", "forecast_days": "2"}
    body = client.get("/v1/forecast", params={**PLACE, **wanted}).json()
    assert body["hourly"]["time"][0] == "2026-07-19T00:00"
    assert (len(body["hourly"]["time"]), len(body["minutely_15"]["time"])) == (72, 288)
    refused = client.get("/v1/forecast", params={**PLACE, "latitude": "300"})
    assert refused.status_code == 400
    assert refused.json() == {"error": True, "reason": "Latitude must be in range of -90 to 90°. Given: 300."}


@pytest.mark.usefixtures("fault")
def test_forecast_faults_leave_the_building_alone(client: httpx.Client) -> None:
    params = {**PLACE, "hourly": "temperature_2m,shortwave_radiation", "forecast_days": "1"}
    client.post("/faults/forecast_down")
    assert client.get("/v1/forecast", params=params).status_code == 503
    assert client.get("/weatherapi/locationforecast/2.0/complete?lat=57&lon=10", headers=AGENT).status_code == 503
    assert trend(client, 6023).status_code == 200
    client.delete("/faults/forecast_down")
    client.post("/faults/forecast_absurd")
    assert set(client.get("/v1/forecast", params=params).json()["hourly"]["temperature_2m"]) == {80.0}
    client.delete("/faults/forecast_absurd")
    client.post("/faults/forecast_429")
    limited = client.get("/v1/forecast", params=params)
    assert limited.status_code == 429
    assert limited.json()["reason"].startswith("Minutely")


def test_too_many_forecast_requests(serve: Serve) -> None:
    limited = serve(SimulatorConfig(forecasts_per_minute=2, now=lambda: NOW))
    codes = [limited.get("/v1/forecast", params={**PLACE, "forecast_days": "1"}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_met_norway_over_http(client: httpx.Client) -> None:
    path = "/weatherapi/locationforecast/2.0/complete"
    assert client.get(path, params={"lat": "57.01", "lon": "9.97"}).status_code == 403
    assert client.get(path, params={"lat": "57.01234", "lon": "9.97"}, headers=AGENT).status_code == 403
    first = client.get(path, params={"lat": "57.01", "lon": "9.97"}, headers=AGENT)
    assert first.status_code == 200
    assert first.headers["Last-Modified"] == "Mon, 20 Jul 2026 08:00:00 GMT"
    assert first.headers["Expires"] == "Mon, 20 Jul 2026 10:31:00 GMT"
    again = {**AGENT, "If-Modified-Since": first.headers["Last-Modified"]}
    unchanged = client.get(path, params={"lat": "57.01", "lon": "9.97"}, headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    older = {**AGENT, "If-Modified-Since": "Mon, 20 Jul 2026 05:00:00 GMT"}
    assert client.get(path, params={"lat": "57.01", "lon": "9.97"}, headers=older).status_code == 200


def test_readings_arrive_as_the_clock_goes_on(serve: Serve) -> None:
    clock = [NOW]
    live = serve(SimulatorConfig(request_s=0, point_s=0, now=lambda: clock[0]))
    span = {"starttime": "2026-07-20T10:00:00", "endtime": "2026-07-20T14:00:00"}  # local; 08:00 to 12:00 UTC
    before = trend(live, 6428, **span).json()
    clock[0] = NOW + timedelta(minutes=30)
    after = trend(live, 6428, **span).json()
    assert 100 <= len(before) <= 121
    assert 25 <= len(after) - len(before) <= 35
    assert after[: len(before) - 3] == before[: len(before) - 3]
