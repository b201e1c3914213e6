"""The client of one BMS: what the rest of the pipeline calls. Synchronous outside, one event loop and pool inside."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx
import pandas as pd

from esus_pipeline.bms.config import BmsConfig
from esus_pipeline.bms.errors import BmsConfigError, BmsCredentialsError, BmsError, BmsUnreachable
from esus_pipeline.bms.fetch import Fault, Kind, Reply, fetch, open_client
from esus_pipeline.bms.metadata import parse_metadata
from esus_pipeline.bms.parse import Asked, MalformedBody
from esus_pipeline.bms.poll import Memory, Reader, pause_s
from esus_pipeline.bms.result import Poll
from esus_pipeline.frames import STEP

_FINAL = {Kind.CREDENTIALS, Kind.NOT_FOUND, Kind.REDIRECT, Kind.REFUSED, Kind.TOO_LARGE}


@dataclass(frozen=True)
class BmsCheck:
    """What one request to the BMS tells about the connection. None where it could not be told."""

    reachable: bool
    credentials_accepted: bool | None
    clock_skew_s: float | None
    """The server's clock minus ours, to about 1 s."""
    points: int | None
    """Points that the BMS logs."""
    seconds: float
    detail: str
    """What went wrong and what to do, without secrets; empty if all is well."""


class BmsClient:
    """Reads one BMS: `with BmsClient(config) as bms: poll = bms.read(ids, start, end)`.

    One connection pool serves everything between enter and exit. Not for use inside a running event loop, nor by two
    threads at once. It speaks directly to localhost, and otherwise through the proxy of the environment, if any.
    """

    def __init__(self, config: BmsConfig) -> None:
        """Nothing is sent before the first call inside the `with` block."""
        self.config = config
        self._memory = Memory(config.ids_per_request)
        self._open: tuple[asyncio.Runner, httpx.AsyncClient] | None = None

    def __enter__(self) -> Self:
        """Opens the event loop and the (still empty) connection pool."""
        self._open = asyncio.Runner(), open_client(self.config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes connections and loop."""
        runner, http = self._opened()
        self._open = None
        with runner:
            runner.run(http.aclose())

    def read(self, point_ids: Iterable[int], start: datetime, end: datetime) -> Poll:
        """The readings of these points in [start, end), at most `poll_deadline_s` seconds later.

        Ask for a day or less: memory and the time that a failure costs grow with the interval, and cutting a long range
        into days is the caller's part, who can store each day before asking for the next. A point that cannot be read
        never costs the others their readings; it is in `Poll.failed`.

        Raises:
            ValueError: start or end has no zone, or they are less than 15 minutes apart, which the API refuses.
            BmsCredentialsError: nothing could be read, because user name or password were refused.
            BmsConfigError: nothing could be read, because there is no BMS API at the address, or only a redirect.
            BmsUnreachable: nothing could be read for any other reason; its `poll` tells the reasons.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError(f"start and end must carry a zone, got {start} and {end}")
        if end - start < STEP:
            raise ValueError(f"the interval must be at least 15 minutes, got {start} to {end}")
        asked = Asked(frozenset(int(point) for point in point_ids), start, end)
        runner, http = self._opened()
        reader = Reader(http, self.config, self._memory, asked)
        if asked.ids:
            runner.run(reader.run())
        poll = reader.poll()
        if asked.ids and len(poll.failed) == len(asked.ids):
            raise _nothing_read(reader.stopped, poll)
        return poll

    def metadata(self) -> pd.DataFrame:
        """The points that the BMS logs: point_id (int64), path (str), sorted by point.

        Raises:
            BmsCredentialsError: user name or password were refused.
            BmsConfigError: there is no BMS API at the address, or only a redirect.
            BmsUnreachable: no usable answer after `attempts` tries.
        """
        runner, http = self._opened()
        result = runner.run(self._metadata(http))
        if isinstance(result, Fault):
            raise _error(result)
        return result

    def check(self) -> BmsCheck:
        """Asks once for the metadata, without retry, and says what that tells. Never raises for what it finds."""
        runner, http = self._opened()
        started = time.monotonic()
        reply = runner.run(fetch(http, self.config, "metadata"))
        seconds = time.monotonic() - started
        result = _points(reply)
        fault = result if isinstance(result, Fault) else None
        refused = fault is not None and fault.kind is Kind.CREDENTIALS
        return BmsCheck(
            reachable=fault is None or fault.status is not None or isinstance(reply.result, bytes),
            credentials_accepted=False if refused else (True if isinstance(reply.result, bytes) else None),
            clock_skew_s=reply.clock_skew_s,
            points=None if isinstance(result, Fault) else len(result),
            seconds=seconds,
            detail=fault.text if fault else "",
        )

    async def _metadata(self, http: httpx.AsyncClient) -> pd.DataFrame | Fault:
        deadline = time.monotonic() + self.config.poll_deadline_s
        for attempt in range(1, self.config.attempts + 1):
            result = _points(await fetch(http, self.config, "metadata"))
            if not isinstance(result, Fault):
                self._memory.credentials_accepted = True
                return result
            wait = pause_s(self.config, attempt, result)
            if result.kind in _FINAL or attempt == self.config.attempts or time.monotonic() + wait > deadline:
                break
            await asyncio.sleep(wait)
        return result

    def _opened(self) -> tuple[asyncio.Runner, httpx.AsyncClient]:
        if self._open is None:
            raise RuntimeError("BmsClient is a context manager: use it inside `with BmsClient(config) as bms:`")
        return self._open


def _points(reply: Reply) -> pd.DataFrame | Fault:
    if isinstance(reply.result, Fault):
        return reply.result
    try:
        return parse_metadata(reply.result)
    except MalformedBody as malformed:
        return Fault(Kind.MALFORMED, f"the answer was refused as a whole: {malformed.reason}")


def _nothing_read(stopped: Fault | None, poll: Poll) -> BmsError:
    if stopped is None:
        point, why = next(iter(poll.failed.items()))
        return BmsUnreachable(f"none of {len(poll.failed)} points could be read; point {point}: {why}", poll)
    return _error(stopped, poll)


def _error(fault: Fault, poll: Poll | None = None) -> BmsError:
    if fault.kind is Kind.CREDENTIALS:
        return BmsCredentialsError(fault.text)
    if fault.kind in (Kind.NOT_FOUND, Kind.REDIRECT):
        return BmsConfigError(fault.text)
    return BmsUnreachable(f"the BMS could not be read: {fault.text}", poll)
