"""One HTTP request with a total deadline and a bounded body; every way it can go wrong becomes a `Fault`.

Belongs here: what an answer means. Does not belong here: whether to ask again, which `poll` decides. Nothing raises
out of here, so no exception can carry a request's headers or address along.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpx

from esus_pipeline.bms.config import BmsConfig, host_of

CONNECT_TIMEOUT_S = 10.0


class Kind(StrEnum):
    """What went wrong, in the terms that decide what to do next."""

    CREDENTIALS = "credentials"
    NOT_FOUND = "not_found"
    REDIRECT = "redirect"
    REFUSED = "refused"
    BUSY = "busy"
    SERVER = "server"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    CUT = "cut"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Fault:
    """A request without a usable answer. `text` is for a person and holds no secret."""

    kind: Kind
    text: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Reply:
    """What came back from one request: a body or a fault, and what was seen on the way."""

    result: bytes | Fault
    bytes_read: int
    """Bytes of the body as they came over the network, before decompression."""
    clock_skew_s: float | None
    """The server's clock minus ours, from the Date header, whose resolution is 1 s."""


@dataclass
class _Seen:
    bytes_read: int = 0
    clock_skew_s: float | None = None


def open_client(config: BmsConfig) -> httpx.AsyncClient:
    """The one connection pool of a run: no redirects, no more connections than configured, gzip at most."""
    for name in ("httpx", "httpcore"):  # at INFO and below they write addresses and headers
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        auth=httpx.BasicAuth(config.username, config.password),
        headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "esus-pipeline"},
        follow_redirects=False,
        limits=httpx.Limits(max_connections=config.connections, max_keepalive_connections=config.connections),
        timeout=httpx.Timeout(config.request_deadline_s, connect=min(CONNECT_TIMEOUT_S, config.request_deadline_s)),
        mounts={"all://localhost": None, "all://127.0.0.1": None},  # never through a proxy of the environment
    )


async def fetch(
    http: httpx.AsyncClient, config: BmsConfig, resource: str, params: Sequence[tuple[str, str | int]] = ()
) -> Reply:
    """One GET of one resource, at most `request_deadline_s` seconds and `max_response_bytes` of decoded body."""
    seen = _Seen()
    try:
        async with asyncio.timeout(config.request_deadline_s):
            result = await _get(http, config, resource, params, seen)
    except TimeoutError:
        result = Fault(Kind.TIMEOUT, f"no complete answer within {config.request_deadline_s:g} s")
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        result = Fault(Kind.UNREACHABLE, f"no connection to {config.host} ({type(error).__name__})")
    except httpx.TimeoutException as error:
        result = Fault(Kind.TIMEOUT, f"the server stopped answering ({type(error).__name__})")
    except httpx.DecodingError:
        result = Fault(Kind.CUT, "the answer could not be decompressed")
    except httpx.HTTPError as error:
        result = Fault(Kind.CUT, f"the connection broke ({type(error).__name__})")
    return Reply(result, seen.bytes_read, seen.clock_skew_s)


async def _get(
    http: httpx.AsyncClient,
    config: BmsConfig,
    resource: str,
    params: Sequence[tuple[str, str | int]],
    seen: _Seen,
) -> bytes | Fault:
    async with http.stream("GET", config.url(resource), params=list(params)) as response:
        seen.clock_skew_s = _clock_skew_s(response.headers)
        fault = _fault(response, config)
        if fault:
            return fault
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            seen.bytes_read = response.num_bytes_downloaded
            if len(body) > config.max_response_bytes:
                return Fault(Kind.TOO_LARGE, f"the answer is larger than {config.max_response_bytes} bytes")
        return bytes(body)


def _fault(response: httpx.Response, config: BmsConfig) -> Fault | None:
    status = response.status_code
    if status in (401, 403):
        text = f"{config.host} refused user name or password ({status}): set ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD"
        return Fault(Kind.CREDENTIALS, text, status)
    if 300 <= status < 400:
        text = f"{config.host} redirects to {_target(response)} ({status}), which is not followed: correct ESUS_BMS_URL"
        return Fault(Kind.REDIRECT, text, status)
    if status == 404:
        text = f"{config.host} has no BMS API at this address (404): ESUS_BMS_URL is the address before /api/v1"
        return Fault(Kind.NOT_FOUND, text, status)
    if status in (408, 429) or status >= 500:
        kind = Kind.BUSY if status == 429 else Kind.SERVER
        return Fault(kind, f"the server answered {status}", status, retry_after_s(response.headers))
    if status != 200:
        return Fault(Kind.REFUSED, f"the server refused the request ({status})", status)
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", "gzip"):
        return Fault(Kind.CUT, "the answer is compressed in a way that was not asked for")
    return None


def _target(response: httpx.Response) -> str:
    try:
        return host_of(response.url.join(response.headers.get("Location", ""))) or "elsewhere"
    except httpx.InvalidURL:
        return "elsewhere"


def retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date), None if it does not say.

    A date is measured against the server's own Date header, so that a wrong clock on either side does no harm.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 300 else math.inf
    until = _http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(headers.get("Date", "")) or datetime.now(UTC))).total_seconds())


def _clock_skew_s(headers: httpx.Headers) -> float | None:
    server = _http_date(headers.get("Date", ""))
    return None if server is None else server.timestamp() + 0.5 - time.time()  # the header is cut to whole seconds


def _http_date(text: str) -> datetime | None:
    try:
        stamp = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp
