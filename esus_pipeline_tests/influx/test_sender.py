"""What each answer of InfluxDB leads to, and that a database that is killed over and over loses and doubles nothing."""

import itertools
import logging
import random
import threading
import time

import pytest

from esus_pipeline.influx import InfluxConfig, InfluxConfigError, InfluxError, InfluxUnavailable, Sender
from esus_pipeline.influx import sender as sender_module
from esus_pipeline_tests.influx.answers import HANG_UP, answering
from esus_pipeline_tests.influx.conftest import config_of
from esus_pipeline_tests.real.processes import free_port, wait_until

STORED = (204, {}, "")
LINES = [f"m,room=a value={number}.0 {number}" for number in range(8)]


def test_the_same_bytes_are_sent_again_until_they_are_stored():
    waits: list[float] = []
    busy = (429, {"Retry-After": "7"}, "")
    with answering(busy, (503, {}, "down"), (HANG_UP, {}, ""), (500, {}, ""), STORED) as server:
        with Sender(config_of(server), sleep=waits.append) as sender:
            assert sender.send(LINES) == 8
        assert sender.resent == 4
        assert len(set(server.packed)) == 1
        assert server.bodies[0].decode().split("\n") == LINES
        assert server.paths[0] == "/api/v2/write?org=esus&bucket=esus&precision=us"
    assert waits[0] == 7.0
    assert all(0 < wait <= 2 for wait in waits[1:])


@pytest.mark.parametrize("answer", [(429, {"Retry-After": "3600"}, ""), (503, {}, "{}"), (HANG_UP, {}, "")])
def test_the_deadline_ends_it_with_an_error_that_says_that_nothing_is_lost(answer):
    told = r"127\.0\.0\.1:\d+ is not available .*nothing is lost"
    with (
        answering(answer) as server,
        Sender(config_of(server, deadline_s=0.5)) as sender,
        pytest.raises(InfluxUnavailable, match=told),
    ):
        sender.send(LINES)


def test_a_server_that_is_not_there_is_unavailable():
    config = config_of(type("Nobody", (), {"url": f"http://127.0.0.1:{free_port()}"}), deadline_s=0.3)
    with Sender(config) as sender, pytest.raises(InfluxUnavailable, match="no answer: ConnectError"):
        sender.send(LINES)


@pytest.mark.parametrize(
    ("answer", "todo"),
    [
        ((401, {}, '{"code":"unauthorized","message":"unauthorized access"}'), "INFLUXDB_TOKEN"),
        ((403, {}, "{}"), "may not write .*esus influx init"),
        ((404, {}, '{"message":"bucket not found"}'), "INFLUXDB_BUCKET"),
        ((302, {"Location": "http://127.0.0.1:9/"}, ""), "INFLUXDB_URL"),
        ((200, {}, "<html>"), "INFLUXDB_URL"),
    ],
)
def test_what_cannot_be_helped_by_trying_again_is_tried_once_and_says_what_to_do(answer, todo):
    with answering(answer) as server, Sender(config_of(server)) as sender:
        with pytest.raises(InfluxError, match=todo):
            sender.send(LINES)
        assert len(server.bodies) == 1


def test_no_message_and_no_log_line_holds_the_token(caplog):
    caplog.set_level(logging.DEBUG)
    echo = (401, {}, '{"message":"unknown token canary-token"}')
    for answer, error in ((echo, InfluxError), ((418, {}, echo[2]), InfluxError), ((503, {}, echo[2]), InfluxError)):
        with answering(answer) as server, Sender(config_of(server, deadline_s=0.1)) as sender:
            with pytest.raises(error) as caught:
                sender.send(LINES)
            assert "canary-token" not in str(caught.value)
    assert "canary-token" not in caplog.text
    assert "canary-token" not in repr(config_of(server))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "influx:8086"}, "INFLUXDB_URL must be an address"),
        ({"url": "http://user:pw@influx:8086"}, "INFLUXDB_URL must be the plain address"),
        ({"org": ""}, "INFLUXDB_ORG is not set"),
        ({"bucket": ""}, "INFLUXDB_BUCKET is not set"),
        ({"token": ""}, "INFLUXDB_TOKEN is not set"),
        ({"token": "a\nb"}, "INFLUXDB_TOKEN holds characters"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(given, named):
    with pytest.raises(InfluxConfigError, match=named):
        InfluxConfig(**{"url": "http://influx:8086", "org": "o", "bucket": "b", "token": "t", **given})


@pytest.mark.real
def test_bad_lines_are_found_and_the_good_ones_stored(influx):
    influx_lines = [f"m,room=a value={number}.5 {number}" for number in range(1000)]
    influx_lines[333] = "no line at all"
    influx_lines[777] = 'm,room=a value="text" 777'
    with Sender(config_of(influx)) as sender:
        assert sender.send(influx_lines[:10]) == 10  # settles the type of the field
        assert sender.send(influx_lines) == 998
    assert [each.line for each in sender.refused] == [influx_lines[333], influx_lines[777]]
    assert "unable to parse" in sender.refused[0].message
    assert "field type conflict" in sender.refused[1].message
    assert influx.count("m") == 998


@pytest.mark.real
def test_points_beyond_the_retention_are_counted_and_not_quarantined(influx):
    influx.set_retention("30d")
    now = time.time_ns() // 1000
    old = [f"m,room=a value=1.0 {now - 40 * 86_400_000_000 + number}" for number in range(20)]
    young = [f"m,room=a value=1.0 {now + number}" for number in range(20)]
    with Sender(config_of(influx)) as sender:
        assert sender.send([*old, *young]) == 20
    assert (sender.too_old, sender.refused) == (20, [])
    assert influx.count("m") == 20


def test_a_body_that_is_too_large_is_sent_in_halves():
    with answering((413, {}, ""), STORED) as server, Sender(config_of(server)) as sender:
        assert sender.send(LINES) == 8
        assert [body.decode().split("\n") for body in server.bodies] == [LINES, LINES[:4], LINES[4:]]


def test_a_bucket_that_refuses_everything_ends_the_delivery(monkeypatch):
    monkeypatch.setattr(sender_module, "MOST_REFUSED", 3)
    answer = (422, {}, '{"message":"field type conflict"}')
    told = r"refuses line after line .*field type conflict"
    with answering(answer) as server, Sender(config_of(server)) as sender, pytest.raises(InfluxError, match=told):
        sender.send(LINES)


def batches_until(enough):
    """Batches of 5,000 lines whose values count up; at least one."""
    for first in itertools.count(0, 5000):
        yield [f"m,room=r{number % 7} value={number}.0 {number}" for number in range(first, first + 5000)]
        if enough():
            return


@pytest.mark.real
def test_twenty_kills_in_the_middle_of_a_delivery_lose_and_double_nothing(influx):
    rows, kills, chance = 0, 0, random.Random(1)  # noqa: S311

    def kill_while_it_writes():
        nonlocal kills
        while kills < 20:
            stored = rows
            wait_until("the delivery goes on", lambda: rows > stored, 60, pause=0.005)  # noqa: B023
            time.sleep(chance.uniform(0, 0.06))
            influx.kill_database()
            kills += 1
            influx.start_database()

    killer = threading.Thread(target=kill_while_it_writes)
    with Sender(config_of(influx)) as sender:
        killer.start()
        for stored in sender.send_all(batches_until(lambda: not killer.is_alive())):
            assert stored == 5000
            rows += stored
    assert kills == 20
    assert sender.resent >= 15
    [found] = influx.query('SELECT count("value") AS n, sum("value") AS total, max("value") AS last FROM m')
    assert (found["n"], found["total"], found["last"]) == (rows, rows * (rows - 1) / 2, rows - 1)
