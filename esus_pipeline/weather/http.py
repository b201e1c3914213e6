"""Asking a forecast server politely: one shared answer for many windows and processes.

Belongs here: download with limits, freshness (RFC 9111 where the server states it, else a minimum age), conditional
requests, pauses after 429. Does not belong here: what an answer means (see open_meteo, met_norway). There is no
retry: the next window is the retry.
"""

import asyncio
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path

import httpx

from esus_pipeline.weather.source import ForecastError

LONGEST_FRESH = timedelta(hours=3)
"""A server that says `Expires` in ten years is asked again after this."""

KEEP = timedelta(days=2)
"""Answers older than this leave the cache file."""

DEFAULT_PAUSE = timedelta(minutes=10)

_TABLES = (
    "CREATE TABLE IF NOT EXISTS answers"
    " (url TEXT PRIMARY KEY, received_at REAL, fresh_until REAL, last_modified TEXT, body TEXT)",
    "CREATE TABLE IF NOT EXISTS pauses (host TEXT PRIMARY KEY, until REAL, reason TEXT)",
)


@dataclass(frozen=True)
class Answer:
    """A body and when that content first arrived."""

    body: str
    received_at: datetime


@dataclass(frozen=True)
class _Response:
    status: int
    headers: httpx.Headers
    body: str


class HttpCache:
    """GET with a cache in one SQLite file. Processes that share the file share answers and never ask twice at once."""

    def __init__(
        self,
        file: Path,
        contact: str = "",
        deadline_seconds: float = 20.0,
        max_bytes: int = 8_000_000,
        setting: str = "ESUS_FORECAST_URL",
        spacing: timedelta = timedelta(),
    ) -> None:
        """`contact` (an address or URL) goes into the User-Agent; limits hold for the whole request.

        `setting` is the variable that messages name; `spacing` is the least time between two requests to one server.
        """
        self.requests = 0
        self._file = file
        self._deadline = deadline_seconds
        self._max_bytes = max_bytes
        self._setting = setting
        self._spacing = spacing
        self._agent = f"esus-pipeline/{version('esus-pipeline')}" + (f" ({contact})" if contact else "")

    def get(self, url: str, params: dict[str, str], min_age: timedelta, now: datetime) -> Answer:
        """The stored answer while it is fresh, else the server's; ForecastError where there is none.

        An answer is fresh for `min_age`, longer where the server's headers say so.
        """
        target = _target(url, params, self._setting)
        key = hashlib.sha256(str(target).encode()).hexdigest()
        with self._exclusive() as db:
            stored = db.execute(
                "SELECT body, received_at, fresh_until, last_modified FROM answers WHERE url = ?", (key,)
            ).fetchone()
            if stored and stored[1] <= now.timestamp() < stored[2]:
                return _answer(stored, now)
            _refuse_while_paused(db, target.host, now)
            if self._spacing:
                _note_pause(db, target.host, now + self._spacing, f"at most one request in {self._spacing}")
            response = self._ask(target, stored[3] if stored else None)
            fresh_until = (now + max(min_age, _stated_freshness(response.headers))).timestamp()
            if response.status == 304 and stored:
                db.execute("UPDATE answers SET fresh_until = ? WHERE url = ?", (fresh_until, key))
                return _answer(stored, now)
            if response.status == 429:
                _pause(db, target.host, response, now)
            if response.status not in (200, 203):
                raise ForecastError(_explain(target.host, response, self._setting))
            last_modified = response.headers.get("Last-Modified")
            row = (key, now.timestamp(), fresh_until, last_modified, response.body)
            db.execute("DELETE FROM answers WHERE fresh_until < ?", ((now - KEEP).timestamp(),))
            db.execute("REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row)
            return Answer(response.body, now)

    @contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Connection]:
        """The cache file, held by this process alone; a second one waits and then finds the answer."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _remove_if_damaged(self._file)
            with closing(sqlite3.connect(self._file, timeout=self._deadline + 5, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    db.execute(table)
                try:
                    yield db
                finally:
                    db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise ForecastError(f"forecast cache {self._file}: {error}; delete that file if this stays") from error

    def _ask(self, url: httpx.URL, last_modified: str | None) -> _Response:
        self.requests += 1
        headers = {"User-Agent": self._agent, "Accept": "application/json"}
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        # A thread of its own, so that it also works where an event loop already runs, as in a notebook.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._download(url, headers)).result()

    async def _download(self, url: httpx.URL, headers: dict[str, str]) -> _Response:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._deadline),
                httpx.AsyncClient(timeout=self._deadline, follow_redirects=False) as client,
                client.stream("GET", url, headers=headers) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise ForecastError(f"{url.host}: answer above {self._max_bytes} bytes; check the address")
        except (TimeoutError, httpx.TimeoutException):
            raise ForecastError(f"{url.host}: no complete answer within {self._deadline:g} s") from None
        except httpx.HTTPError as error:
            raise ForecastError(f"{url.host}: {type(error).__name__}; check the address and the network") from None
        return _Response(response.status_code, response.headers, body.decode("utf-8", errors="replace"))


def _remove_if_damaged(file: Path) -> None:
    """A damaged cache holds nothing that the servers cannot tell again."""
    try:
        with closing(sqlite3.connect(file)) as db:
            damaged = db.execute("PRAGMA quick_check").fetchone() != ("ok",)
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError:
        damaged = True
    if damaged:
        file.unlink()


def _target(url: str, params: dict[str, str], setting: str) -> httpx.URL:
    try:
        target = httpx.URL(url, params=params)
    except httpx.InvalidURL as error:
        raise ForecastError(f"address: {error}; set {setting} to an http(s) address") from None
    if target.userinfo or target.scheme not in ("http", "https") or not target.host:
        raise ForecastError(f"address: set {setting} to an http(s) address without credentials")
    return target


def _answer(stored: tuple[str, float, float, str | None], now: datetime) -> Answer:
    return Answer(stored[0], datetime.fromtimestamp(stored[1], now.tzinfo))


def _stated_freshness(headers: httpx.Headers) -> timedelta:
    """Freshness lifetime by RFC 9111 section 4.2.1: max-age, else Expires minus Date."""
    max_age = re.search(r"max-age=(\d{1,9})", headers.get("Cache-Control", ""))
    if max_age:
        return min(timedelta(seconds=int(max_age[1])), LONGEST_FRESH)
    try:
        expires = parsedate_to_datetime(headers["Expires"])
        return min(expires - parsedate_to_datetime(headers["Date"]), LONGEST_FRESH)
    except (KeyError, ValueError, TypeError):
        return timedelta()


def _refuse_while_paused(db: sqlite3.Connection, host: str, now: datetime) -> None:
    pause = db.execute("SELECT until, reason FROM pauses WHERE host = ?", (host,)).fetchone()
    if pause and now.timestamp() < pause[0]:
        until = datetime.fromtimestamp(pause[0], now.tzinfo)
        raise ForecastError(f"{host}: not asked before {until:%Y-%m-%d %H:%M:%S} UTC, because it said: {pause[1]}")


def _pause(db: sqlite3.Connection, host: str, response: _Response, now: datetime) -> None:
    reason = _reason(response)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    limits = {"Minutely": timedelta(minutes=1), "Hourly": timedelta(hours=1), "Daily": midnight - now}
    waits = [wait for word, wait in limits.items() if reason.startswith(word)]
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdigit():
        waits.append(timedelta(seconds=min(int(retry_after), 86_400)))
    until = now + max(waits, default=DEFAULT_PAUSE)
    _note_pause(db, host, until, reason)


def _note_pause(db: sqlite3.Connection, host: str, until: datetime, reason: str) -> None:
    db.execute("REPLACE INTO pauses VALUES (?, ?, ?)", (host, until.timestamp(), reason))


def _reason(response: _Response) -> str:
    """What the server says is wrong, on one line of at most 200 characters."""
    try:
        text = str(json.loads(response.body)["reason"])
    except (ValueError, KeyError, TypeError):
        text = re.sub(r"<[^>]*>", " ", response.body)
    return " ".join(text.split())[:200]


def _explain(host: str, response: _Response, setting: str) -> str:
    advice = {
        400: f"check the place in the site file and {setting}",
        401: f"check {setting}",
        403: "it may want a contact: set ESUS_CONTACT",
        404: f"check {setting}",
        429: "asked too often; it is left alone for a while",
    }.get(response.status, "it is asked again at the next window")
    if 300 <= response.status < 400:
        advice = f"redirects are not followed: set {setting} to the final address"
    return f"{host}: HTTP {response.status} {_reason(response)}".rstrip() + f"; {advice}"
