"""The client against a server that misbehaves, over real sockets."""

import json
import math
import subprocess
import sys
import time
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pandas as pd
import pytest

from esus_pipeline.bms import BmsClient, BmsConfig, BmsConfigError, BmsCredentialsError, BmsUnreachable
from esus_pipeline.bms import poll as poll_module
from esus_pipeline.bms.fetch import retry_after_s
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS
from esus_pipeline_tests.bms.misbehaving import good, http, record, serving

START = datetime(2026, 1, 10, 11, 0, tzinfo=UTC)
END = datetime(2026, 1, 10, 13, 0, tzinfo=UTC)


def config(url, **settings):
    defaults = {"username": "reader", "password": "secret", "zone": "Europe/Copenhagen", "backoff_s": 0.01}
    return BmsConfig(base_url=url, **{**defaults, **settings})


def read(url, ids, **settings):
    with BmsClient(config(url, **settings)) as bms:
        return bms.read(ids, START, END)


def in_turn(*answers):
    """The answers one after another; from the last one on, good answers."""
    left = list(answers)

    def behave(request):
        answer = left.pop(0) if left else good
        return answer(request) if callable(answer) else answer

    return behave


def unless(is_bad, bad):
    return lambda request: bad(request) if is_bad(request) else good(request)


def accounted(poll, ids):
    """Every point is in exactly one of readings, failed and unanswered."""
    heard = set(poll.readings["point_id"])
    return Counter([*heard, *poll.failed, *poll.unanswered]) == Counter(set(ids))


def test_readings_come_back_as_the_table_says_over_one_pool():
    with serving(good) as server, BmsClient(config(server.url)) as bms:
        poll = bms.read(range(1, 173), START, END)
        again = bms.read([1], START, END)
    pd.testing.assert_frame_equal(poll.readings, RAW_BMS_READINGS.conform(poll.readings))
    assert poll.readings["point_id"].tolist() == list(range(1, 173))
    assert (poll.failed, poll.unanswered, poll.requests, poll.retries) == ({}, (), 5, 0)
    assert poll.bytes_read == sum(len(json.dumps([record(i) for i in r.ids])) for r in server.requests[:5])
    assert again.requests == 1
    assert server.connections <= 2
    assert [len(request.ids) for request in server.requests] == [1, 43, 43, 43, 42, 1]
    assert server.requests[0].query["starttime"] == ["2026-01-10T11:00:00Z"]
    assert server.requests[0].query["endtime"] == ["2026-01-10T13:00:00Z"]
    assert server.requests[0].path == "/api/v1/trenddata"


def test_points_without_readings_are_unanswered_and_records_are_counted():
    def behave(request):
        rows = [record(1), record(1), record(1, "2026-01-10T13:00:00"), record(2, value=None), record(77)]
        return http(200, json.dumps(rows if 1 in request.ids else []).encode())

    with serving(behave) as server:
        poll = read(server.url, [1, 2, 3], connections=1)
    assert poll.readings["point_id"].tolist() == [1]
    assert poll.unanswered == (2, 3)
    assert (poll.duplicates, poll.at_end) == (1, 1)
    assert sorted(poll.rejected["reason"]) == ["unknown_point", "unknown_point"]
    pd.testing.assert_frame_equal(poll.rejected, QUARANTINE.conform(poll.rejected))


def test_no_points_no_request():
    with serving(good) as server:
        poll = read(server.url, [])
    assert (len(poll.readings), poll.failed, server.requests) == (0, {}, [])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
def test_a_server_in_trouble_is_asked_again(status):
    with serving(in_turn(http(status), http(status))) as server:
        poll = read(server.url, [1])
    assert poll.readings["point_id"].tolist() == [1]
    assert (poll.requests, poll.retries) == (3, 2)


def test_tries_are_bounded_and_a_total_loss_is_an_error_that_tells():
    message = "none of 1 points could be read; point 1: the server answered 500"
    boom = http(500, b"<html>boom</html>")
    with serving(lambda request: boom) as server, pytest.raises(BmsUnreachable, match=message) as caught:
        read(server.url, [1])
    assert len(server.requests) == 3
    assert caught.value.poll.failed == {1: "the server answered 500"}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_cost_one_request(status):
    with (
        serving(lambda request: http(status, b"secret")) as server,
        pytest.raises(BmsCredentialsError, match="ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD"),
    ):
        read(server.url, range(172))
    assert len(server.requests) == 1


def test_credentials_revoked_half_way_keep_what_was_read():
    with serving(lambda request: good(request) if len(server.requests) < 3 else http(401)) as server:
        poll = read(server.url, range(8), connections=1, ids_per_request=2)
    assert len(server.requests) == 3
    assert len(poll.readings) == 3
    assert len(poll.failed) == 5
    assert all("401" in reason for reason in poll.failed.values())


def test_a_missing_api_is_a_clear_error():
    with (
        serving(lambda request: http(404)) as server,
        pytest.raises(BmsConfigError, match="ESUS_BMS_URL is the address before /api/v1"),
    ):
        read(server.url, range(5))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(status):
    with serving(good) as other:
        target = f"{other.url}/api?token=canary"
        with (
            serving(lambda request: http(status, Location=target)) as server,
            pytest.raises(BmsConfigError, match=r"redirects to 127\.0\.0\.1 ") as caught,
        ):
            read(server.url, range(5))
    assert other.requests == []
    assert len(server.requests) == 1
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [413, 414])
def test_a_list_too_long_is_split_and_the_size_remembered(status):
    with (
        serving(unless(lambda request: len(request.ids) > 5, lambda request: http(status))) as server,
        BmsClient(config(server.url, connections=1)) as bms,
    ):
        first = bms.read(range(1, 101), START, END)
        second = bms.read(range(1, 101), START, END)
    assert (len(first.readings), first.failed) == (100, {})
    assert sum(len(request.ids) > 5 for request in server.requests) == 4  # 50, 25, 12 and 6
    assert (len(second.readings), second.requests) == (100, math.ceil(100 / 3))


def test_a_bad_request_that_halves_cure_is_remembered_as_a_list_too_long():
    refuse = unless(lambda request: len(request.ids) > 5, lambda request: http(400))
    with serving(refuse) as server, BmsClient(config(server.url)) as bms:
        first = bms.read(range(1, 101), START, END)
        second = bms.read(range(1, 101), START, END)
    assert (len(first.readings), first.failed, first.rejected.empty) == (100, {}, True)
    assert len(second.readings) == 100
    assert all(len(request.ids) <= 5 for request in server.requests[-second.requests :])


def test_a_point_that_is_refused_alone_fails_alone_and_does_not_make_lists_shorter():
    refuse = unless(lambda request: 7 in request.ids, lambda request: http(400))
    with serving(refuse) as server, BmsClient(config(server.url)) as bms:
        poll = bms.read(range(1, 41), START, END)
        without = bms.read(range(10, 110), START, END)
    assert poll.failed == {7: "the server refused the request (400)"}
    assert len(poll.readings) == 39
    assert without.requests == 2


@pytest.mark.parametrize(
    "bad",
    [
        lambda request: http(500),
        lambda request: http(200, b"<html>Service unavailable</html>"),
        lambda request: http(200, b'{"error": "internal"}'),
        lambda request: [http(200, b"x" * 1000)[:500]],
        lambda request: [],
        lambda request: http(200, b"not gzip at all", Content_Encoding="gzip"),
        lambda request: http(200, b"[]", Content_Encoding="br"),
    ],
    ids=["500", "html", "schema", "cut", "hangup", "bad gzip", "br"],
)
def test_points_that_break_the_server_fail_alone(bad):
    broken = {7, 8, 60}
    with serving(unless(lambda request: broken & set(request.ids), bad)) as server:
        poll = read(server.url, range(1, 61), backoff_s=0.001, attempts=2)
    assert set(poll.failed) == broken
    assert len(poll.readings) == 60 - len(broken)
    assert accounted(poll, range(1, 61))


def test_a_point_that_failed_is_asked_alone_by_the_next_poll_until_it_answers():
    broken = {7}
    behave = unless(lambda request: broken & set(request.ids), lambda request: http(500))
    with serving(behave) as server, BmsClient(config(server.url, backoff_s=0.001, attempts=2)) as bms:
        first, second = (bms.read(range(1, 41), START, END) for _ in range(2))
        broken.clear()
        third, fourth = (bms.read(range(1, 41), START, END) for _ in range(2))
    assert set(first.failed) == set(second.failed) == {7}
    assert (second.requests, len(second.readings)) == (4, 39)
    assert (third.requests, len(third.readings)) == (3, 40)
    assert (fourth.requests, len(fourth.readings)) == (2, 40)


def test_a_controller_of_broken_points_does_not_look_like_an_outage():
    broken = set(range(20, 45))
    with serving(unless(lambda request: broken & set(request.ids), lambda request: http(500))) as server:
        poll = read(server.url, range(1, 61), backoff_s=0.001)
    assert set(poll.failed) == broken
    assert accounted(poll, range(1, 61))


def test_an_outage_ends_the_poll_after_few_requests():
    with (
        serving(lambda request: http(502)) as server,
        pytest.raises(BmsUnreachable, match=r"502, 1[0-9] times in a row") as caught,
    ):
        read(server.url, range(172))
    assert len(server.requests) <= poll_module.MAX_FAILURES_IN_ROW + poll_module.PROBES
    assert len(caught.value.poll.failed) == 172


def test_an_outage_half_way_keeps_what_was_read():
    with serving(lambda request: good(request) if len(server.requests) <= 2 else http(502)) as server:
        poll = read(server.url, range(172), connections=1)
    assert len(poll.readings) == 44
    assert len(poll.failed) == 128
    assert len(server.requests) < 25


def test_nobody_listens():
    with serving(good) as server:
        pass
    started = time.monotonic()
    with pytest.raises(BmsUnreachable, match=r"no connection to 127\.0\.0\.1") as caught:
        read(server.url, range(172))
    assert caught.value.poll.requests == 3
    assert time.monotonic() - started < 2


def test_a_whole_refused_body_leaves_one_sample_in_quarantine():
    page = b"<html>" + b"x" * 10_000
    with serving(in_turn(http(200, page), http(200, page))) as server:
        poll = read(server.url, [1])
    assert poll.rejected["reason"].tolist() == ["not_json"]
    assert poll.rejected["record"][0] == page[:2_000].decode()
    assert len(poll.readings) == 1


def test_an_answer_cut_anywhere_is_never_read_as_the_whole():
    body = json.dumps([record(1), record(1, "2026-01-10T12:05:00")]).encode()
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    cuts = iter(range(0, len(body), 3))
    with (
        serving(lambda request: [head + body[: next(cuts)]]) as server,
        BmsClient(config(server.url, attempts=1)) as bms,
    ):
        for _ in body[::3]:
            with pytest.raises(BmsUnreachable):
                bms.read([1], START, END)
    assert len(server.requests) == len(body[::3])


def test_a_slow_drip_meets_the_total_deadline():
    def drip(request):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        for _ in range(100):
            yield b" "
            server.sleep(0.1)

    with serving(unless(lambda request: 3 in request.ids, drip)) as server:
        started = time.monotonic()
        poll = read(server.url, [1, 2, 3], request_deadline_s=0.4, attempts=2)
    assert time.monotonic() - started < 3
    assert poll.failed == {3: "no complete answer within 0.4 s"}
    assert len(poll.readings) == 2


def test_a_server_too_slow_for_many_points_is_asked_for_fewer_at_once():
    def slow(request):
        server.sleep(0.05 * len(request.ids))
        return good(request)

    with serving(slow) as server:
        poll = read(server.url, range(32), request_deadline_s=0.5)
    assert len(poll.readings) == 32
    assert poll.retries == 0


def test_the_poll_deadline_keeps_what_was_read():
    def hang(request):
        server.sleep(30)
        return []

    with serving(unless(lambda request: max(request.ids) > 20, hang)) as server:
        started = time.monotonic()
        poll = read(server.url, range(1, 41), ids_per_request=1, poll_deadline_s=1.5, connections=4)
        seconds = time.monotonic() - started
    assert 1.4 < seconds < 2.5
    assert poll.readings["point_id"].tolist() == list(range(1, 21))
    assert set(poll.failed) == set(range(21, 41))
    assert set(poll.failed.values()) == {"not read within the 1.5 s of the poll"}


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [(429, "1"), (503, "1"), (503, "date")],
)
def test_retry_after_is_honoured(status, retry_after):
    now = datetime.now(UTC) + timedelta(hours=5)  # the server's clock is wrong, and that does no harm
    text = format_datetime(now + timedelta(seconds=1), usegmt=True) if retry_after == "date" else retry_after
    with serving(in_turn(http(status, Retry_After=text, Date=format_datetime(now, usegmt=True)))) as server:
        poll = read(server.url, [1])
    first, second = server.requests
    assert 1.0 <= second.at - first.at < 1.5
    assert len(poll.readings) == 1
    assert poll.clock_skew_s == pytest.approx(5 * 3600, abs=2)


def test_the_poll_deadline_tells_the_last_failure():
    message = r"within the 0\.3 s of the poll; last, the server answered 503"
    with serving(lambda request: http(503)) as server, pytest.raises(BmsUnreachable, match=message):
        read(server.url, range(50), poll_deadline_s=0.3, backoff_s=0.2, attempts=9)


def test_retry_after_beyond_the_poll_gives_up_at_once():
    with serving(lambda request: http(429, Retry_After="3600")) as server:
        started = time.monotonic()
        with pytest.raises(BmsUnreachable, match="429 and asks to wait longer than a poll may take"):
            read(server.url, range(10))
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("12", 12), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("9" * 400, math.inf), ("²", None)],
)
def test_retry_after_texts(text, seconds):
    assert retry_after_s(httpx.Headers({"Retry-After": text.encode()})) == seconds


def test_a_date_in_the_past_means_now():
    assert retry_after_s(httpx.Headers({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})) == 0


@pytest.mark.parametrize("connections", [1, 2, 3])
def test_never_more_requests_at_once_than_configured(connections):
    def behave(request):
        server.sleep(0.02)
        return http(500) if 5 in request.ids else good(request)

    with serving(behave) as server:
        poll = read(server.url, range(60), ids_per_request=4, connections=connections)
    assert server.most_at_once == connections
    assert set(poll.failed) == {5}


def test_after_429_one_request_at_a_time():
    active, most = [0], [0]

    def behave(request):
        if len(server.requests) == 2:
            return http(429)
        refused = any(len(r.ids) > 1 for r in server.requests[:-1])
        active[0] += 1
        most[0] = max(most[0], active[0]) if refused and len(server.requests) > 4 else most[0]
        server.sleep(0.02)
        active[0] -= 1
        return good(request)

    with serving(behave) as server:
        poll = read(server.url, range(61), ids_per_request=5)
    assert most[0] == 1
    assert len(poll.readings) == 61


def test_a_body_over_the_limit_is_asked_for_in_smaller_parts():
    with serving(good) as server:
        poll = read(server.url, range(100, 140), max_response_bytes=1_100)
    assert len(poll.readings) == 40
    assert sorted(len(request.ids) for request in server.requests) == [1, 9, 10, 10, 10, 19, 20]
    assert poll.failed == {}


BOMB = """
import resource, sys
from datetime import UTC, datetime
from esus_pipeline.bms import BmsClient, BmsConfig, BmsUnreachable
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with BmsClient(BmsConfig(sys.argv[1], "reader", "secret", "UTC")) as bms:
    before = peak_mb()
    try:
        bms.read([1], datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 11, tzinfo=UTC))
    except BmsUnreachable as error:
        print(peak_mb() - before, error, sep="|")
"""


def test_a_gzip_bomb_is_stopped_at_the_limit():
    packer = zlib.compressobj(wbits=31)
    head = packer.compress(b"[") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = head + 1_000 * megabyte  # one gigabyte in one megabyte
    assert len(bomb) < 1.2 * 2**20
    with serving(lambda request: http(200, bomb, Content_Encoding="gzip")) as server:
        command = [sys.executable, "-c", BOMB, server.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    growth_mb, message = done.stdout.split("|")
    assert "larger than 67108864 bytes" in message
    assert float(growth_mb) < 250
    assert len(server.requests) == 1


def test_a_day_takes_few_requests_and_two_at_once():
    with serving(lambda request: server.sleep(0.05) or good(request)) as server:
        poll = read(server.url, range(172))
    assert len(poll.readings) == 172
    assert len(server.requests) <= 5
    assert server.most_at_once == 2


def test_metadata_lists_the_points():
    rows = [{"externallogid": 2, "source": "/b", "x": 1}, {"externallogid": 1, "source": "/a"}, {"source": "/c"}, 5]
    with (
        serving(in_turn(http(503), http(200, json.dumps(rows).encode()))) as server,
        BmsClient(config(server.url)) as bms,
    ):
        points = bms.metadata()
    assert points.to_dict("list") == {"point_id": [1, 2], "path": ["/a", "/b"]}
    assert points.dtypes.astype(str).tolist() == ["int64", "str"]
    assert [request.path for request in server.requests] == ["/api/v1/metadata"] * 2


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [
        (http(401), BmsCredentialsError, 1),
        (http(404), BmsConfigError, 1),
        (http(302, Location="http://elsewhere.example/"), BmsConfigError, 1),
        (http(200, b"<html>"), BmsUnreachable, 3),
        (http(200, b'[{"id": 1}]'), BmsUnreachable, 3),
        (http(500), BmsUnreachable, 3),
        (http(429, Retry_After="9999"), BmsUnreachable, 1),
    ],
)
def test_metadata_that_cannot_be_read(answer, error, requests):
    with serving(lambda request: answer) as server, BmsClient(config(server.url)) as bms, pytest.raises(error):
        bms.metadata()
    assert len(server.requests) == requests


def test_check_tells_a_healthy_server_and_its_clock():
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    with (
        serving(lambda request: http(200, b'[{"externallogid": 1, "source": "/a"}]', Date=date)) as server,
        BmsClient(config(server.url)) as bms,
    ):
        check = bms.check()
    assert (check.reachable, check.credentials_accepted, check.points, check.detail) == (True, True, 1, "")
    assert check.clock_skew_s == pytest.approx(-600, abs=2)


@pytest.mark.parametrize(
    ("answer", "reachable", "accepted", "word"),
    [
        (http(401), True, False, "ESUS_BMS_PASSWORD"),
        (http(503), True, None, "503"),
        (http(200, b"<html>login</html>"), True, True, "not_json"),
        (http(302, Location="https://login.example/?token=canary"), True, None, "login.example"),
    ],
)
def test_check_tells_what_is_wrong(answer, reachable, accepted, word):
    with serving(lambda request: answer) as server, BmsClient(config(server.url)) as bms:
        check = bms.check()
    assert (check.reachable, check.credentials_accepted, check.points) == (reachable, accepted, None)
    assert word in check.detail
    assert "canary" not in check.detail
    assert len(server.requests) == 1


def test_check_without_a_server():
    with serving(good) as server:
        pass
    with BmsClient(config(server.url)) as bms:
        check = bms.check()
    assert (check.reachable, check.credentials_accepted) == (False, None)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (datetime(2026, 1, 10), END, "zone"),  # noqa: DTZ001
        (START, START + timedelta(minutes=14), "15 minutes"),
        (END, START, "15 minutes"),
    ],
)
def test_an_interval_that_cannot_be_asked_for(start, end, message):
    with serving(good) as server, BmsClient(config(server.url)) as bms, pytest.raises(ValueError, match=message):
        bms.read([1], start, end)
    assert server.requests == []


def test_a_client_that_was_not_entered():
    with pytest.raises(RuntimeError, match="with BmsClient"):
        BmsClient(config("http://127.0.0.1:1")).read([1], START, END)


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(good) as server:
        assert len(read(server.url, [1]).readings) == 1
