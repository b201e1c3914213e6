"""One reading of many points over one interval: how the ids are shared out, asked again, split, or given up.

Belongs here: what to do about an answer. Does not belong here: HTTP (`fetch`) and the meaning of a body (`parse`).

    401, 403, 404, redirect         the poll stops at once; what has been read is kept
    no connection                   `attempts` tries, then the poll stops: no point can be read
    400, 413, 414, other 4xx        asked in halves at once; the smaller size holds for the run after 413 and 414, which
                                    can only mean size, and after 400 once both halves are read
    too large a body                asked in halves at once
    deadline of the request         asked in halves at once; a single point is tried `attempts` times
    5xx, 408, cut off, malformed    `attempts` tries, then asked in halves
    429                             `attempts` tries, then given up

After 429 or no connection, the rest of the poll asks one request at a time.

A failing point is thereby found and given up alone. Every failure pauses the whole poll (full jitter, exponential in
the failures in a row; at least what Retry-After asks for). After MAX_FAILURES_IN_ROW failures in a row, a few points
taken evenly from those unread are asked one by one: if none answers, the server is down and the poll stops.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import pandas as pd

from esus_pipeline.bms.config import BmsConfig
from esus_pipeline.bms.fetch import Fault, Kind, fetch
from esus_pipeline.bms.parse import (
    MAX_RECORD_CHARACTERS,
    Asked,
    MalformedBody,
    Parsed,
    decode,
    parse_records,
    quarantine,
)
from esus_pipeline.bms.result import Poll
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS

log = logging.getLogger(__name__)

MAX_FAILURES_IN_ROW = 10
PROBES = 5
MAX_BACKOFF_DOUBLINGS = 4

_STOPS = {Kind.CREDENTIALS, Kind.NOT_FOUND, Kind.REDIRECT}
_REPEATS = {Kind.BUSY, Kind.SERVER, Kind.CUT, Kind.MALFORMED, Kind.UNREACHABLE}
_SPLITS = {Kind.REFUSED, Kind.TOO_LARGE, Kind.TIMEOUT, Kind.SERVER, Kind.CUT, Kind.MALFORMED}
_DISTRESS = {Kind.TIMEOUT, *_REPEATS}
_TOO_MANY = Fault(Kind.REFUSED, "more points than the server takes in one request")


@dataclass
class Memory:
    """What a client learns about its server and keeps from one poll to the next."""

    ids_per_request: int
    credentials_accepted: bool = False
    failing: set[int] = field(default_factory=set)
    """Points that failed by themselves when they were last asked: the next poll asks them alone, after the others."""


class Reader:
    """One poll under way: `run` it once, then `poll` says what came of it and `stopped` why it ended early."""

    def __init__(self, http: httpx.AsyncClient, config: BmsConfig, memory: Memory, asked: Asked) -> None:
        """`memory` is the client's own, and is changed."""
        self.stopped: Fault | None = None
        self._http, self._config, self._memory, self._asked = http, config, memory, asked
        self._parts: list[Parsed] = []
        self._unread = set(asked.ids)
        self._failed: dict[int, str] = {}
        self._samples: dict[str, pd.DataFrame] = {}
        self._turns = asyncio.Condition()
        self._active = self._failures_in_row = self._requests = self._retries = self._bytes_read = 0
        self._busy = self._probing = False
        self._last: Fault | None = None
        self._clock_skew_s: float | None = None
        self._started = self._resume_at = time.monotonic()
        self._seconds = 0.0

    async def run(self) -> None:
        """Asks for every point until it is read or given up, at most `poll_deadline_s` seconds."""
        try:
            async with asyncio.timeout(self._config.poll_deadline_s), asyncio.TaskGroup() as group:
                for ids in self._chunks():
                    group.create_task(self._read(ids))
        except TimeoutError:
            text = f"not read within the {self._config.poll_deadline_s:g} s of the poll"
            self._stop(Fault(Kind.TIMEOUT, f"{text}; last, {self._last.text}" if self._last else text))
        self._seconds = time.monotonic() - self._started

    def poll(self) -> Poll:
        """What has been read."""
        why = self.stopped.text if self.stopped else ""
        failed = {point: self._failed.get(point, why) for point in sorted(self._unread)}
        readings = pd.concat([RAW_BMS_READINGS.empty(), *(part.readings for part in self._parts)])
        rejected = pd.concat([QUARANTINE.empty(), *self._samples.values(), *(part.rejected for part in self._parts)])
        heard = set(readings["point_id"].unique())
        return Poll(
            readings=readings.sort_values(["point_id", "timestamp"], ignore_index=True),
            rejected=rejected.reset_index(drop=True),
            failed=failed,
            unanswered=tuple(sorted(self._asked.ids - heard - self._unread)),
            requests=self._requests,
            retries=self._retries,
            seconds=self._seconds,
            bytes_read=self._bytes_read,
            duplicates=sum(part.duplicates for part in self._parts),
            at_end=sum(part.at_end for part in self._parts),
            clock_skew_s=self._clock_skew_s,
        )

    def _chunks(self) -> list[tuple[int, ...]]:
        """The ids in equal parts, as many for each connection, and last those that failed before, one by one.

        Until credentials are proven, one id goes first, alone.
        """
        failing = self._asked.ids & self._memory.failing
        rest = sorted(self._asked.ids - failing)
        first = [] if self._memory.credentials_accepted or not rest else [(rest.pop(0),)]
        rounds = math.ceil(len(rest) / (self._memory.ids_per_request * self._config.connections))
        count = min(len(rest), rounds * self._config.connections)
        return [*first, *(tuple(rest[i::count]) for i in range(count)), *((point,) for point in sorted(failing))]

    async def _read(self, ids: tuple[int, ...]) -> bool:
        """Reads these points, or asks for them in halves, or gives them up; True if all of them were read."""
        fault = await self._try(ids)
        if fault is None or self.stopped:
            return fault is None
        if fault.kind not in _SPLITS or len(ids) == 1:
            self._failed.update(dict.fromkeys(ids, fault.text))
            self._memory.failing.update(ids if len(ids) == 1 else ())
            return False
        if fault.status in (413, 414):
            self._limit_size(len(ids) // 2)
        all_read = all(await asyncio.gather(self._read(ids[::2]), self._read(ids[1::2])))
        if fault.status == 400 and all_read:
            self._limit_size(math.ceil(len(ids) / 2))
        return all_read

    async def _try(self, ids: tuple[int, ...]) -> Fault | None:
        """Asks up to `attempts` times where asking again can help; None once the points are read."""
        fault = _TOO_MANY
        for attempt in range(self._config.attempts):
            async with self._turn():
                if self.stopped or len(ids) > self._memory.ids_per_request:
                    return self.stopped or _TOO_MANY
                self._retries += attempt > 0
                result = await self._ask(ids)
                if isinstance(result, Parsed):
                    self._parts.append(result)
                    self._unread.difference_update(ids)
                    self._memory.failing.difference_update(ids)
                    return None
                fault = result
                await self._stop_if_down(fault)
            if fault.kind not in _REPEATS and not (fault.kind is Kind.TIMEOUT and len(ids) == 1):
                break
        if fault.kind is Kind.UNREACHABLE:
            self._stop(fault)
        return fault

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A place among the requests under way, after any pause."""
        async with self._turns:
            await self._turns.wait_for(lambda: self._active < self._width)
            self._active += 1
        try:
            await self._pause()
            yield
        finally:
            self._active -= 1
            async with self._turns:
                self._turns.notify_all()

    @property
    def _width(self) -> int:
        """Requests that may be under way: one until credentials are proven, and one after the server was too busy."""
        return self._config.connections if self._memory.credentials_accepted and not self._busy else 1

    async def _pause(self) -> None:
        while not self.stopped and (wait := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    async def _ask(self, ids: tuple[int, ...]) -> Parsed | Fault:
        """One request, with all that is learnt from its outcome; does not keep the readings."""
        self._requests += 1
        span = [("starttime", _wire(self._asked.start)), ("endtime", _wire(self._asked.end))]
        reply = await fetch(self._http, self._config, "trenddata", [*span, *(("externallogid", id_) for id_ in ids)])
        self._bytes_read += reply.bytes_read
        if reply.clock_skew_s is not None:
            self._clock_skew_s = reply.clock_skew_s
        result = self._understand(reply.result, ids) if isinstance(reply.result, bytes) else reply.result
        if isinstance(result, Fault):
            self._learn(result, ids)
        else:
            self._failures_in_row = 0
        return result

    def _understand(self, body: bytes, ids: tuple[int, ...]) -> Parsed | Fault:
        self._memory.credentials_accepted = True
        now = datetime.now(UTC)
        try:
            records = decode(body)
        except MalformedBody as malformed:
            sample = self._config.redact(body[: 4 * MAX_RECORD_CHARACTERS].decode("utf-8", "replace"))
            self._samples.setdefault(malformed.reason, quarantine([(malformed.reason, -1, sample)], now))
            return Fault(Kind.MALFORMED, f"the answer was refused as a whole: {malformed.reason}")
        asked = Asked(frozenset(ids), self._asked.start, self._asked.end)
        parsed = parse_records(records, asked, self._config.zone, now)
        redacted = parsed.rejected["record"].map(self._config.redact)
        return replace(parsed, rejected=parsed.rejected.assign(record=redacted))

    def _learn(self, fault: Fault, ids: tuple[int, ...]) -> None:
        log.info("%s, %d points: %s", self._config.host, len(ids), fault.text)
        self._last = fault
        if fault.kind in _STOPS:
            self._stop(fault)
        if fault.kind in (Kind.BUSY, Kind.UNREACHABLE):
            self._busy = True
        if fault.kind in _DISTRESS or len(ids) == 1:
            self._failures_in_row += 1
            wait = pause_s(self._config, self._failures_in_row, fault)
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
        if fault.retry_after_s and self._resume_at > self._started + self._config.poll_deadline_s:
            self._stop(replace(fault, text=f"{fault.text} and asks to wait longer than a poll may take"))

    async def _stop_if_down(self, fault: Fault) -> None:
        """After many failures in a row, asks a few points one by one, and stops the poll if none answers."""
        if self._failures_in_row < MAX_FAILURES_IN_ROW or self._probing:
            return
        self._probing = True
        left = sorted(self._unread - set(self._failed))
        for point in left[:: math.ceil(len(left) / PROBES)]:
            await self._pause()
            if self.stopped:
                break
            await self._ask((point,))
            if self._failures_in_row < MAX_FAILURES_IN_ROW:  # something was read meanwhile
                break
        else:
            self._stop(replace(fault, text=f"{fault.text}, {self._failures_in_row} times in a row"))
        self._failures_in_row = 0
        self._probing = False

    def _limit_size(self, ids: int) -> None:
        self._memory.ids_per_request = min(self._memory.ids_per_request, ids)

    def _stop(self, fault: Fault) -> None:
        self.stopped = self.stopped or fault


def pause_s(config: BmsConfig, failures_in_row: int, fault: Fault) -> float:
    """Seconds to wait after a failure: full jitter below an exponential bound, at least what the server asks for."""
    bound = config.backoff_s * 2 ** min(failures_in_row - 1, MAX_BACKOFF_DOUBLINGS)
    return (fault.retry_after_s or 0.0) + random.uniform(0.0, bound)  # noqa: S311 (spreads load, guards nothing)


def _wire(instant: datetime) -> str:
    """ISO 8601 in UTC with a Z: a plus sign would reach some servers as a blank."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
