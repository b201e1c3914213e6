"""The way of lines to InfluxDB: synchronous, and only an answer of 204 counts as stored.

Written with httpx and not with influxdb-client, whose batching mode was seen to lose points without an exception, and
whose synchronous write costs 0.8 s of imports, compresses at level 9 (half the speed) and follows redirects.
Belongs here: what each answer means. Does not belong here: when to try again after a run (see defs/delivery).

| answer | meaning |
|---|---|
| 204 | stored |
| 400, 413, 422 | something in it is refused: halve it until the lines are found, and give them back |
| 429, 5xx, no answer | not now: the same bytes again, until the deadline; then InfluxUnavailable |
| 401, 403, 404, any other | InfluxError with what to do |
"""

import gzip
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from esus_pipeline.influx.config import InfluxConfig, InfluxError, InfluxUnavailable
from esus_pipeline.influx.lines import PRECISION

BATCH = 10_000
"""Lines per request: between 5,000 and 10,000 InfluxDB was fastest."""

AT_ONCE = 2
"""Requests under way while the next one is made: InfluxDB and we keep each other busy, as fast as it takes them."""

MOST_REFUSED = 1000
"""More refused lines than this are no odd values but a fault of the bucket, and end the delivery."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
_TOO_OLD = re.compile(r"points beyond retention policy dropped=(\d+)")

WHAT_TO_DO = {
    401: "it does not know the token: set INFLUXDB_TOKEN, or make a new one with `esus influx init`",
    403: "the token may not write to the bucket: make one that may with `esus influx init`",
    404: "it has no such organisation or bucket: check INFLUXDB_ORG and INFLUXDB_BUCKET, or run `esus influx init`",
}


@dataclass(frozen=True)
class Refused:
    """A line that InfluxDB will not take, and what it said."""

    line: str
    message: str


@dataclass(frozen=True)
class _Answer:
    status: int
    message: str = ""
    retry_after_s: float | None = None
    tries: int = 1


class Sender:
    """The way to a bucket; use as a context manager. Counts what it did."""

    def __init__(self, config: InfluxConfig, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is sent yet."""
        self.requests = 0
        self.resent = 0
        self.too_old = 0
        """Lines older than the bucket's retention, which InfluxDB drops."""
        self.refused: list[Refused] = []
        self._config, self._sleep = config, sleep
        self._client = httpx.Client(
            headers={"Authorization": f"Token {config.token}", "Content-Type": "text/plain; charset=utf-8"},
            params={"org": config.org, "bucket": config.bucket, "precision": PRECISION},
            timeout=config.request_timeout_s,
        )
        self._url = f"{config.url.rstrip('/')}/api/v2/write"

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send_all(self, batches: Iterable[Sequence[str]]) -> Iterator[int]:
        """Store batches of lines, AT_ONCE at a time; how many of each are stored. Raises what `send` raises."""
        with ThreadPoolExecutor(AT_ONCE) as couriers:
            under_way: deque[tuple[Sequence[str], Future[_Answer]]] = deque()
            for lines in batches:
                if len(under_way) == AT_ONCE:
                    first, answer = under_way.popleft()
                    yield self._settle(first, answer.result())
                under_way.append((lines, couriers.submit(self._insist, lines)))
            for lines, answer in under_way:
                yield self._settle(lines, answer.result())

    def send(self, lines: Sequence[str]) -> int:
        """Store the lines; how many are stored. Refused ones are added to `refused`.

        Raises InfluxUnavailable after the deadline, and InfluxError where trying again cannot help.
        """
        return self._settle(lines, self._insist(lines))

    def _settle(self, lines: Sequence[str], answer: _Answer) -> int:
        """What an answer means for its lines; how many are stored."""
        self.requests += answer.tries
        self.resent += answer.tries - 1
        if answer.status == 204:
            return len(lines)
        too_old = _TOO_OLD.search(answer.message)
        if too_old and int(too_old[1]) == len(lines):
            self.too_old += len(lines)
            return 0
        if len(lines) > 1:
            half = len(lines) // 2
            return self.send(lines[:half]) + self.send(lines[half:])
        self.refused.append(Refused(lines[0], answer.message))
        if len(self.refused) > MOST_REFUSED:
            raise InfluxError(
                f"InfluxDB at {self._config.host} refuses line after line ({answer.message}); "
                "look whether another program writes fields of these names to the bucket"
            )
        return 0

    def _insist(self, lines: Sequence[str]) -> _Answer:
        """The answer that settles these lines: 204, or one that says that something in them is wrong."""
        body = gzip.compress("\n".join(lines).encode(), compresslevel=1)
        give_up, pause, tries = time.monotonic() + self._config.deadline_s, _FIRST_PAUSE, 1
        while True:
            answer = self._post(body)
            if answer.status in (204, 400, 413, 422):
                return replace(answer, tries=tries)
            if answer.status != 429 and 0 < answer.status < 500:
                todo = WHAT_TO_DO.get(answer.status, f"it said {answer.message!r}; is INFLUXDB_URL InfluxDB's address?")
                raise InfluxError(f"InfluxDB at {self._config.host} answered {answer.status}: {todo}")
            wait = answer.retry_after_s if answer.retry_after_s is not None else pause * random.uniform(0.5, 1.0)  # noqa: S311
            if time.monotonic() + wait > give_up:
                said = f"{answer.status or 'no answer'}: {answer.message}"
                raise InfluxUnavailable(
                    f"InfluxDB at {self._config.host} is not available ({said}); "
                    "nothing is lost, it is delivered when InfluxDB is back"
                )
            self._sleep(wait)
            pause, tries = min(2 * pause, _LONGEST_PAUSE), tries + 1

    def _post(self, body: bytes) -> _Answer:
        try:
            response = self._client.post(self._url, content=body, headers={"Content-Encoding": "gzip"})
        except (httpx.HTTPError, OSError) as error:
            return _Answer(0, type(error).__name__)
        message = self._config.redact(_message(response))[:300]
        return _Answer(response.status_code, message, _retry_after(response.headers.get("Retry-After")))


def _message(response: httpx.Response) -> str:
    """What InfluxDB said; the header of 1.x says more than a body that a proxy put in the place of InfluxDB's."""
    if header := response.headers.get("X-Influx-Error"):
        return str(header)
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or response.reason_phrase


def _retry_after(stated: str | None) -> float | None:
    """Seconds that the server asks to wait, be it as a number or as a date."""
    if not stated:
        return None
    if stated.isdecimal():
        return float(stated)
    try:
        return max(0.0, (parsedate_to_datetime(stated) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
