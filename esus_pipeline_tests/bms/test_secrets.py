"""The password and tokens of addresses reach nothing that is written down, whatever goes wrong."""

import base64
import json
import logging
import pickle
import traceback
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from esus_pipeline.bms import BmsClient, BmsConfig, BmsConfigError, BmsCredentialsError, BmsError
from esus_pipeline_tests.bms.misbehaving import good, http, record, serving

CANARY = "c4n4ry-p4ss"
TOKEN = base64.b64encode(f"reader:{CANARY}".encode()).decode()
START = datetime(2026, 1, 10, 11, 0, tzinfo=UTC)
END = datetime(2026, 1, 10, 13, 0, tzinfo=UTC)


def config(url, **settings):
    return BmsConfig(url, "reader", CANARY, "UTC", **{"backoff_s": 0.001, "request_deadline_s": 0.3, **settings})


def echo(status):
    """An error page that shows the request's headers, as debug pages do."""
    return lambda request: http(status, f"<html>{request.headers['authorization']} {CANARY}</html>".encode())


ANSWERS = {
    "good": good,
    **{str(status): echo(status) for status in (200, 400, 401, 403, 404, 429, 500)},
    "redirect": lambda request: http(302, Location=f"http://user:{CANARY}@elsewhere.example/?token={CANARY}"),
    "odd redirect": lambda request: http(302, Location=f"http://[{CANARY}"),
    "hangup": lambda request: [],
    "garbage": lambda request: [f"{CANARY} {TOKEN}\r\n\r\n".encode()],
    "drip": lambda request: [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x"],
}


def written_down(url):
    """All that a caller could log or store of a failing run: texts, tracebacks, causes, frames."""
    texts = []
    with BmsClient(config(url)) as bms:
        for call in (lambda: bms.read([1, 2], START, END), bms.metadata, bms.check):
            try:
                outcome = call()
            except BmsError as error:
                texts += [str(error), repr(error), "".join(traceback.format_exception(error))]
                texts += [repr(error.__cause__), repr(error.__context__), repr(vars(error))]
                outcome = getattr(error, "poll", None)
            texts.append(repr(outcome))
            if hasattr(outcome, "rejected"):
                texts += [repr(asdict(outcome)), outcome.rejected.to_csv()]
    return "\n".join(texts)


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_the_server_does_no_secret_is_written_down(name, caplog, capfd):
    caplog.set_level(logging.INFO)
    with serving(ANSWERS[name]) as server:
        text = written_down(server.url)
    assert server.requests[0].headers["authorization"] == f"Basic {TOKEN}"
    everything = text + caplog.text + "".join(capfd.readouterr())
    assert CANARY not in everything
    assert TOKEN not in everything


def test_a_refused_record_that_holds_the_password_is_kept_without_it():
    records = [record(1), {**record(1, value="n/a"), "debug": f"reader:{CANARY} {TOKEN}"}]
    answer = http(200, json.dumps(records).encode())
    with serving(lambda request: answer) as server, BmsClient(config(server.url)) as bms:
        poll = bms.read([1], START, END)
    assert poll.rejected["reason"].tolist() == ["bad_value"]
    assert json.loads(poll.rejected["record"].iloc[0])["debug"] == "reader:*** ***"


def test_the_http_library_says_nothing_at_info(caplog):
    caplog.set_level(logging.DEBUG)
    with serving(good) as server, BmsClient(config(server.url)) as bms:
        bms.read([1], START, END)
    assert [entry for entry in caplog.records if entry.name.startswith("http")] == []


def test_the_configuration_does_not_show_its_password():
    assert CANARY not in repr(config("http://127.0.0.1"))
    assert CANARY not in str(config("http://127.0.0.1"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"https://reader:{CANARY}@bms.example.org", "must not contain a user or password"),
        (f"https://{CANARY}@bms.example.org", "must not contain a user or password"),
        (f"https://bms.example.org/?token={CANARY}", "without"),
        (f"https://bms.example.org/#{CANARY}", "without"),
        (f"ftp://bms.example.org/{CANARY}", "http or https"),
        (f"https://[{CANARY}", "http or https"),
        (CANARY, "http or https"),
        ("", "http or https"),
    ],
)
def test_an_address_that_is_refused_is_not_repeated(url, message):
    with pytest.raises(BmsConfigError, match=message) as caught:
        config(url)
    assert CANARY not in "".join(traceback.format_exception(caught.value)).replace(url, "")
    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("name", "value"), [("username", ""), ("password", "")])
def test_missing_credentials_say_what_to_set(name, value):
    with pytest.raises(BmsCredentialsError, match="ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD"):
        replace(config("http://127.0.0.1"), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zone", "Mars/Olympus"), ("connections", 0), ("ids_per_request", 0), ("attempts", 0),
        ("max_response_bytes", 0), ("request_deadline_s", 0), ("poll_deadline_s", -1), ("backoff_s", -0.1),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_right(name, value):
    with pytest.raises(BmsConfigError, match=f"{name}|IANA"):
        replace(config("http://127.0.0.1"), **{name: value})


def test_the_configuration_survives_a_round_trip_between_processes():
    original = config("http://127.0.0.1:8090/bms/")
    assert pickle.loads(pickle.dumps(original)) == original  # noqa: S301
    assert original.url("metadata") == "http://127.0.0.1:8090/bms/api/v1/metadata"
    assert original.host == "127.0.0.1:8090"
