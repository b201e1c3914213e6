"""Is InfluxDB there, and do the tokens do what they should and no more? Nothing is changed by looking.

Whether a token may write is asked with a line that no parser takes: InfluxDB judges the token first, then the line.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from esus_pipeline.influx.config import InfluxConfig
from esus_pipeline.influx.sender import WHAT_TO_DO

_NO_LINE = b"no line"
_SECONDS = 10.0


@dataclass(frozen=True)
class Fact:
    """One thing that was looked at; `good` is None for a warning."""

    good: bool | None
    message: str


def look(config: InfluxConfig, read_token: str) -> Iterator[Fact]:
    """Everything that can be told with these tokens; `read_token` may be empty."""
    with httpx.Client(base_url=config.url.rstrip("/"), timeout=_SECONDS) as client:
        try:
            answer = client.get("/ping")
            version = answer.headers.get("X-Influxdb-Version", "of unknown version")
            if answer.status_code != 204:
                yield Fact(False, f"{config.host} answered {answer.status_code} to /ping; is INFLUXDB_URL InfluxDB's?")
                return
            yield Fact(True, f"{config.host} answers, InfluxDB {version}")
            yield _writer(client, config)
            yield from _reader(client, config, read_token)
        except httpx.HTTPError as error:
            yield Fact(False, f"{config.host} does not answer ({type(error).__name__}); is INFLUXDB_URL right?")


def _writer(client: httpx.Client, config: InfluxConfig) -> Fact:
    status = _may_write(client, config, config.token)
    if status != 400:
        todo = WHAT_TO_DO.get(status, "it should have judged the token")
        return Fact(False, f"INFLUXDB_TOKEN cannot write to {config.bucket}: {status}, {todo}")
    if _read_error(client, config, config.token) is None:
        return Fact(None, "INFLUXDB_TOKEN can also read; one that only writes is enough, see `esus influx init`")
    return Fact(True, f"INFLUXDB_TOKEN can write to {config.bucket} and cannot read")


def _reader(client: httpx.Client, config: InfluxConfig, read_token: str) -> Iterator[Fact]:
    if not read_token:
        yield Fact(None, "INFLUXDB_READ_TOKEN is not set here; Grafana's token was not checked")
        return
    error = _read_error(client, config, read_token)
    if error is not None:
        yield Fact(
            False, f"INFLUXDB_READ_TOKEN cannot read database {config.bucket} by InfluxQL ({error}): `esus influx init`"
        )
        return
    status = _may_write(client, config, read_token)
    if status in (401, 403):
        yield Fact(True, f"INFLUXDB_READ_TOKEN can read database {config.bucket} by InfluxQL and cannot write")
    else:
        yield Fact(
            False, "INFLUXDB_READ_TOKEN can write; give Grafana one that only reads, from `esus influx init --rotate`"
        )
    yield _retention(client, config, read_token)


def _may_write(client: httpx.Client, config: InfluxConfig, token: str) -> int:
    """400 where the token may write: the line is refused then, and nothing else."""
    answer = client.post(
        "/api/v2/write",
        params={"org": config.org, "bucket": config.bucket, "precision": "us"},
        headers={"Authorization": f"Token {token}"},
        content=_NO_LINE,
    )
    return answer.status_code


def _read_error(client: httpx.Client, config: InfluxConfig, token: str) -> str | None:
    """What InfluxQL says against reading the database; None where it may be read."""
    answer = client.post(
        "/query",
        params={"db": config.bucket},
        headers={"Authorization": f"Token {token}"},
        data={"q": "SHOW MEASUREMENTS"},
    )
    if answer.status_code != 200:
        return str(answer.status_code)
    try:
        result = answer.json()["results"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return "no InfluxQL answer"
    if "error" in result:
        return config.redact(str(result["error"]))
    return None


def _retention(client: httpx.Client, config: InfluxConfig, token: str) -> Fact:
    answer = client.get(
        "/api/v2/buckets",
        params={"org": config.org, "name": config.bucket},
        headers={"Authorization": f"Token {token}"},
    )
    try:
        bucket = answer.json()["buckets"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return Fact(None, f"retention of {config.bucket} could not be read ({answer.status_code})")
    seconds = sum(rule.get("everySeconds", 0) for rule in bucket.get("retentionRules", []))
    return Fact(True, f"{config.bucket} keeps points {f'{seconds / 86_400:g} days' if seconds else 'for ever'}")
