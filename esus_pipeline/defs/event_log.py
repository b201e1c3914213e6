"""SQLite event log that is quick with many events, for the demo's instance.

Dagster buffers the materialisations of a ranged run (DAGSTER_EVENT_BATCH_SIZE) and hands them over as one batch. Its
PostgreSQL storage inserts that batch at once; its SQLite storage loops, two transactions and two fresh database
connections per event, which is most of the time of a long backfill. It also makes a new SQLAlchemy engine for every
connection, and so compiles every statement anew, which is a fifth of the CPU of a quarter-hour's run. This subclass
closes these gaps and changes nothing else: the same files, the same tables, so an instance can go back to the stock
storage at any time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._record import copy
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, CursorResult, Engine, create_engine
from sqlalchemy.pool import NullPool

ENGINES = 16
"""Databases whose engine is kept: the index and the runs under way. An engine holds statements, not connections."""


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log with a real batch path for asset events of one run."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage of a dagster.yaml; the parent's method builds the parent, whatever class it is called on."""
        return cls(inst_data=inst_data, **config_value)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As the parent."""
        self._engine = lru_cache(ENGINES)(self._new_engine)
        super().__init__(*args, **kwargs)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _new_engine(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard), poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """One row for a check that a range is going to evaluate once, in place of one per window.

        The parent repeats the whole event for every window, 1.4 kB each, in one statement that SQLite refuses for ten
        months of them; and none of these rows would ever be more than planned.
        """
        planned = event.get_dagster_event().asset_check_planned_data
        subset = planned.partitions_subset
        if subset is not None and len(subset) > 1:
            data = copy(planned, partitions_subset=None)
            event = event._replace(dagster_event=event.get_dagster_event()._replace(event_specific_data=data))
        super()._store_asset_check_evaluation_planned(event, event_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events; those of a mixed batch go one by one. Raises what SQLite raises.

        The run's own log comes first, as in the parent's method: who stores the events singly after a failure repeats
        them there at worst, and never in the index that assets are read from.
        """
        if len({event.run_id for event in events}) != 1 or not all(_is_plain_asset_event(event) for event in events):
            return super().store_event_batch(events)
        rows = [self._event_to_row(event) for event in events]
        insert = SqlEventLogStorageTable.insert()
        with self.run_connection(events[0].run_id) as run:
            run.execute(insert, rows)
        with self.index_transaction() as index:
            ids = [_new_id(index.execute(insert, row)) for row in rows]
            self._store_asset_event_tags(index, events, ids)
            for event, id_ in _newest(events, ids):
                self._store_asset_event(index, event, id_)


def _newest(events: Sequence[EventLogEntry], ids: Sequence[int]) -> Iterable[tuple[EventLogEntry, int]]:
    """The last event of each kind and asset, in their order: what the row of the asset is made from."""
    last = {
        (event.get_dagster_event().asset_key, event.dagster_event_type): (id_, event)
        for event, id_ in zip(events, ids, strict=True)
    }
    return [(event, id_) for id_, event in sorted(last.values(), key=lambda each: each[0])]


def _is_plain_asset_event(event: EventLogEntry) -> bool:
    return event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS


def _new_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    if key is None:
        raise RuntimeError("SQLite gave no id for an event")
    return int(key[0])
