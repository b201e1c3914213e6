"""The target that the delivery is tested against behaves as InfluxDB 2.x does where it claims to."""

import httpx
import pytest

pytestmark = pytest.mark.real

LINE = "clean_series,room=a value=21.5 1700000000000000000"


def write(influx, body: str, token: str | None = None, **params: str) -> int:
    answer = httpx.post(
        f"{influx.url}/api/v2/write",
        params={"org": influx.org, "bucket": influx.bucket, "precision": "ns", **params},
        headers={"Authorization": f"Token {influx.token if token is None else token}"},
        content=body.encode(),
    )
    return answer.status_code


def test_it_stores_what_it_acknowledges_even_over_a_kill(influx):
    assert write(influx, LINE) == 204
    assert influx.query("SELECT * FROM clean_series") == [{"time": 1700000000000000000, "room": "a", "value": 21.5}]
    influx.kill_database()
    assert write(influx, LINE) == 502
    influx.start_database()
    assert influx.count("clean_series") == 1


def test_it_refuses_as_2x_does(influx):
    assert write(influx, LINE, token="wrong") == 401
    assert write(influx, LINE, token=influx.read_token) == 403
    assert write(influx, LINE, bucket="absent") == 404
    assert write(influx, "no line") == 400
    assert write(influx, LINE, precision="hours") == 400
    assert write(influx, LINE) == 204
    assert write(influx, LINE.replace("21.5", '"text"')) == 422
    assert httpx.get(f"{influx.url}/api/v2/buckets").status_code == 501
    reading = httpx.post(
        f"{influx.url}/query", data={"q": "SELECT * FROM clean_series"}, params={"db": influx.bucket},
        headers={"Authorization": f"Token {influx.token}"},
    )  # fmt: skip
    assert reading.status_code == 403 or "error" in reading.json()["results"][0]
