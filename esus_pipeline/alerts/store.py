"""The memory of the alerts: the state and an outbox, in one SQLite file, so that a tick is whole or did not happen.

A message and the state that says "told" are committed together: a crash before loses nothing that was promised, a
crash after leaves the message in the outbox, and whoever drains it next sends it. Sending is claimed before it begins,
so two processes do not send the same row; only a crash between a receiver's yes and our note of it sends a message
again, with the same identity. A damaged file is renamed aside and memory begins anew.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from esus_pipeline.alerts.state import Message, State, Waiting

_STATE, _MESSAGE = TypeAdapter(State), TypeAdapter(Message)

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 30, 60))
"""Pauses after the first, second, ... failure; the last one repeats."""
KEEP_TRYING = timedelta(days=3)
"""An older message is given up, and named so."""
KEEP = timedelta(days=30)
"""Messages stay in the file for this long, sent or given up."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
  message TEXT NOT NULL, channel TEXT NOT NULL, data TEXT NOT NULL, created REAL NOT NULL, due REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, problem TEXT NOT NULL DEFAULT '', sent REAL,
  PRIMARY KEY (message, channel));
"""


@dataclass(frozen=True)
class Letter:
    """One message on its way through one channel."""

    message: Message
    channel: str
    attempts: int
    """Those before this one."""


class Store:
    """The file. Any number of processes may use it."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet; nothing is opened before the first use."""
        self.path = path

    def load(self) -> State:
        """The state of the last step; an empty one before the first."""
        with self._transaction() as db:
            row = db.execute("SELECT data FROM state").fetchone()
        return _STATE.validate_json(row[0]) if row else State()

    def advance(
        self, step: Callable[[State], tuple[State, list[Message]]], channels: Sequence[str], now: datetime
    ) -> tuple[State, list[Message]]:
        """Take one step from the stored state, store the next and put its messages into the outbox, all at once.

        Without channels nothing waits. A message that is in the outbox already stays as it is.
        """
        with self._transaction() as db:
            row = db.execute("SELECT data FROM state").fetchone()
            state, messages = step(_STATE.validate_json(row[0]) if row else State())
            db.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (_STATE.dump_json(state).decode(),))
            self._post(db, messages, channels, now)
            db.execute("DELETE FROM outbox WHERE created < ?", ((now - KEEP).timestamp(),))
        return state, messages

    def post(self, message: Message, channels: Sequence[str], now: datetime) -> None:
        """Put a message into the outbox that no state depends on."""
        with self._transaction() as db:
            self._post(db, [message], channels, now)

    def _post(self, db: sqlite3.Connection, messages: list[Message], channels: Sequence[str], now: datetime) -> None:
        rows = [
            (message.id, channel, _MESSAGE.dump_json(message).decode(), now.timestamp(), now.timestamp())
            for message in messages
            for channel in channels
        ]
        db.executemany(
            "INSERT OR IGNORE INTO outbox (message, channel, data, created, due) VALUES (?, ?, ?, ?, ?)", rows
        )

    def claim(self, channel: str, now: datetime) -> Letter | None:
        """The oldest message of a channel that is due, counted as tried; None where nothing is."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT message, data, attempts FROM outbox WHERE channel = ? AND sent IS NULL AND due <= ? "
                "AND created > ? ORDER BY created, message LIMIT 1",
                (channel, now.timestamp(), (now - KEEP_TRYING).timestamp()),
            ).fetchone()
            if row is None:
                return None
            pause = BACKOFF[min(row[2], len(BACKOFF) - 1)]
            db.execute(
                "UPDATE outbox SET attempts = attempts + 1, due = ?, problem = 'not confirmed' "
                "WHERE message = ? AND channel = ?",
                ((now + pause).timestamp(), row[0], channel),
            )
        return Letter(_MESSAGE.validate_json(row[1]), channel, row[2])

    def delivered(self, letter: Letter, now: datetime, note: str = "") -> None:
        """The receiver has said yes; `note` keeps what he did not like."""
        self._update("sent = ?, problem = ?", (now.timestamp(), note), letter)

    def failed(self, letter: Letter, problem: str) -> None:
        """The message stays, and is due again after its pause."""
        self._update("problem = ?", (problem,), letter)

    def waiting(self, now: datetime) -> list[Waiting]:
        """All that has not been delivered, oldest first."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT message, channel, data, created, attempts, problem FROM outbox "
                "WHERE sent IS NULL ORDER BY created, message, channel"
            ).fetchall()
        return [
            Waiting(
                message=row[0],
                channel=row[1],
                title=_MESSAGE.validate_json(row[2]).title,
                created_at=datetime.fromtimestamp(row[3], UTC),
                attempts=row[4],
                problem=row[5],
                given_up_at=_given_up_at(datetime.fromtimestamp(row[3], UTC), now),
            )
            for row in rows
        ]

    def _update(self, change: str, values: tuple[object, ...], letter: Letter) -> None:
        with self._transaction() as db:
            db.execute(
                f"UPDATE outbox SET {change} WHERE message = ? AND channel = ?",  # noqa: S608  # our own words
                (*values, letter.message.id, letter.channel),
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked or unreadable, not damaged
                raise
            os.replace(self.path, self.path.with_name(f"{self.path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
            connection = self._connect()
        with closing(connection) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        self.path.chmod(0o600)
        return connection


def _given_up_at(created: datetime, now: datetime) -> datetime | None:
    return created + KEEP_TRYING if now - created >= KEEP_TRYING else None
