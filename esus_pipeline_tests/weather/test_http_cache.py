import gzip
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from esus_pipeline.weather import ForecastError

NOW = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MIN_AGE = 25 * MINUTE


def test_two_processes_share_one_answer_until_the_minimum_age(server, cache):
    server.answer("first")
    assert cache().get(server.url, {}, MIN_AGE, NOW).body == "first"
    server.answer("second")
    other = cache()
    shared = other.get(server.url, {}, MIN_AGE, NOW + 15 * MINUTE)
    assert (shared.body, shared.received_at, other.requests, server.hits) == ("first", NOW, 0, 1)
    assert other.get(server.url, {}, MIN_AGE, NOW + 25 * MINUTE).body == "second"
    assert server.hits == 2


def test_other_parameters_are_another_answer(server, cache):
    server.answer("x")
    http = cache()
    for latitude in ("57.0", "57.1", "57.0"):
        http.get(server.url, {"latitude": latitude}, MIN_AGE, NOW)
    assert http.requests == 2


def test_expires_holds_and_then_the_stored_last_modified_is_sent_verbatim(server, cache):
    stated = {"Expires": "Sun, 21 Jun 2026 10:40:00 GMT", "Last_Modified": "Sun, 21 Jun 2026 09:24:26 GMT"}
    server.answer("forecast", **stated)
    http = cache()
    http.get(server.url, {}, MINUTE, NOW)
    http.get(server.url, {}, MINUTE, NOW + 39 * MINUTE)
    assert server.hits == 1
    server.answer("", status=304, Expires="Sun, 21 Jun 2026 10:30:00 GMT")
    unchanged = http.get(server.url, {}, MINUTE, NOW + 40 * MINUTE)
    assert (unchanged.body, unchanged.received_at) == ("forecast", NOW)
    assert server.headers[1]["if-modified-since"] == "Sun, 21 Jun 2026 09:24:26 GMT"
    http.get(server.url, {}, MINUTE, NOW + 69 * MINUTE)
    assert server.hits == 2


def test_max_age_goes_before_expires(server, cache):
    server.answer("x", Cache_Control="public, max-age=600", Expires="Sun, 21 Jun 2026 12:00:00 GMT")
    http = cache()
    for minutes in (0, 9, 10):
        http.get(server.url, {}, MINUTE, NOW + minutes * MINUTE)
    assert server.hits == 2


@pytest.mark.parametrize("expires", ["0", "tomorrow", "Sun, 21 Jun 2015 10:00:00 GMT"])
def test_useless_expires_leaves_the_minimum_age(server, cache, expires):
    server.answer("x", Expires=expires)
    http = cache()
    for minutes in (0, 24, 25):
        http.get(server.url, {}, MIN_AGE, NOW + minutes * MINUTE)
    assert server.hits == 2


def test_expires_in_ten_years_is_not_believed(server, cache):
    server.answer("x", Expires="Sun, 21 Jun 2036 10:00:00 GMT")
    http = cache()
    http.get(server.url, {}, MINUTE, NOW)
    http.get(server.url, {}, MINUTE, NOW + timedelta(hours=3))
    assert server.hits == 2


@pytest.mark.parametrize(
    ("reason", "wait"),
    [
        ("Minutely API request limit exceeded. Please try again in one minute.", timedelta(minutes=1)),
        ("Hourly API request limit exceeded. Please try again in the next hour.", timedelta(hours=1)),
        ("Daily API request limit exceeded. Please try again tomorrow.", timedelta(hours=14)),
        ("Too many", timedelta(minutes=10)),
    ],
)
def test_after_429_the_host_is_left_alone(server, cache, reason, wait):
    server.answer(f'{{"error":true,"reason":"{reason}"}}', status=429)
    with pytest.raises(ForecastError, match=reason):
        cache().get(server.url, {}, MIN_AGE, NOW)
    server.answer("fine")
    with pytest.raises(ForecastError, match="not asked before"):
        cache().get(server.url + "/other", {}, MIN_AGE, NOW + wait - timedelta(seconds=1))
    assert server.hits == 1
    assert cache().get(server.url, {}, MIN_AGE, NOW + wait).body == "fine"


def test_retry_after_of_a_429_holds(server, cache):
    server.answer("throttled", status=429, Retry_After="1800")
    with pytest.raises(ForecastError):
        cache().get(server.url, {}, MIN_AGE, NOW)
    with pytest.raises(ForecastError, match="10:30:00 UTC"):
        cache().get(server.url, {}, MIN_AGE, NOW + 29 * MINUTE)
    assert server.hits == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, '{"error":true,"reason":"Latitude must be in range"}', "Latitude must be in range; check the place"),
        (403, "<html><b>Forbidden</b></html>", "Forbidden; it may want a contact: set ESUS_CONTACT"),
        (500, "", "HTTP 500; it is asked again"),
        (302, "", "redirects are not followed"),
    ],
)
def test_refusals_say_what_to_do_and_are_not_retried(server, cache, status, body, said):
    server.answer(body, status=status, Location=server.url + "/elsewhere")
    with pytest.raises(ForecastError, match=said):
        cache().get(server.url, {}, MIN_AGE, NOW)
    assert server.paths == ["/"]


def test_203_is_an_answer(server, cache):
    server.answer("deprecated", status=203)
    assert cache().get(server.url, {}, MIN_AGE, NOW).body == "deprecated"


def test_contact_is_in_the_user_agent(server, cache):
    server.answer("x")
    cache(contact="ops@example.org").get(server.url, {}, MIN_AGE, NOW)
    agent = server.headers[0]["user-agent"]
    assert agent.startswith("esus-pipeline/")
    assert agent.endswith("(ops@example.org)")


@pytest.mark.parametrize("slow_part", ["headers", "body"])
def test_slow_drip_ends_at_the_deadline(server, cache, slow_part):
    def drip(handler):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"
        if slow_part == "body":
            handler.wfile.write(head + b"\r\n")
            head = b""
        for byte in head + b"x" * 100:
            try:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    server.respond = drip
    begun = time.monotonic()
    with pytest.raises(ForecastError, match=r"no complete answer within 0.5 s"):
        cache(deadline_seconds=0.5).get(server.url, {}, MIN_AGE, NOW)
    assert time.monotonic() - begun < 2


def test_size_cap_counts_decoded_bytes(server, cache):
    server.answer(gzip.compress(b" " * 5_000_000), Content_Encoding="gzip")
    with pytest.raises(ForecastError, match="above 1000000 bytes"):
        cache(max_bytes=1_000_000).get(server.url, {}, MIN_AGE, NOW)


def test_cut_answer_is_an_error_and_not_stored(server, cache):
    server.answer(b"half", Content_Length="8")
    with pytest.raises(ForecastError, match=r"RemoteProtocolError|no complete answer"):
        cache(deadline_seconds=1).get(server.url, {}, MIN_AGE, NOW)
    server.answer("whole")
    assert cache().get(server.url, {}, MIN_AGE, NOW).body == "whole"


def test_nobody_listening(cache):
    with pytest.raises(ForecastError, match="ConnectError; check the address"):
        cache().get("http://127.0.0.1:9", {}, MIN_AGE, NOW)


@pytest.mark.parametrize("address", ["http://user:canary@host", "ftp://host", "host", "http://host:port"])
def test_addresses_that_cannot_be_used(cache, address):
    with pytest.raises(ForecastError, match="set ESUS_FORECAST_URL") as failure:
        cache().get(address, {}, MIN_AGE, NOW)
    assert "canary" not in str(failure.value)


def test_two_at_once_ask_once(server, cache):
    def slow(handler):
        time.sleep(0.3)
        handler.send_response(200)
        handler.send_header("Content-Length", "1")
        handler.end_headers()
        handler.wfile.write(b"x")

    server.respond = slow
    bodies = []
    threads = [
        threading.Thread(target=lambda: bodies.append(cache().get(server.url, {}, MIN_AGE, NOW).body)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (bodies, server.hits) == (["x"] * 4, 1)


def test_damaged_cache_file_is_made_anew(server, cache, tmp_path):
    server.answer("x")
    cache().get(server.url, {}, MIN_AGE, NOW)
    file = tmp_path / "cache" / "forecasts.sqlite"
    for damage in (b"no database at all" * 100, file.read_bytes()[:5000] + b"\xff" * 4000):
        file.write_bytes(damage)
        assert cache().get(server.url, {}, MIN_AGE, NOW).body == "x"
    assert server.hits == 3


def test_address_is_not_kept_in_the_cache_and_old_answers_leave_it(server, cache, tmp_path):
    server.answer("x")
    http = cache()
    for days in range(5):
        http.get(server.url, {"apikey": "canary", "day": str(days)}, MIN_AGE, NOW + timedelta(days=days))
    file = tmp_path / "cache" / "forecasts.sqlite"
    assert b"canary" not in file.read_bytes()
    assert sqlite3.connect(file).execute("SELECT count(*) FROM answers").fetchone() == (3,)


def test_works_inside_a_running_event_loop(server, cache):
    import asyncio

    server.answer("x")

    async def notebook() -> str:
        return cache().get(server.url, {}, MIN_AGE, NOW).body

    assert asyncio.run(notebook()) == "x"
