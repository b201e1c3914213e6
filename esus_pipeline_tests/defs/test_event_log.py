"""The batching storage against Dagster's own: same events in, same answers out, and each reads what the other wrote."""

import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    StepMaterializationData,
)
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy.exc import OperationalError

from esus_pipeline.defs.event_log import BatchingSqliteEventLogStorage

RAW, CLEAN = dg.AssetKey("raw_bms_readings"), dg.AssetKey("clean_series")
RUN = str(uuid4())
TAG = "dagster/data_version"


@pytest.fixture(params=["own", "stock"])
def reader(request, tmp_path):
    """Which class reads what the batching one wrote."""
    return BatchingSqliteEventLogStorage if request.param == "own" else SqliteEventLogStorage


@pytest.fixture
def pair(blank: Path, tmp_path: Path) -> tuple[BatchingSqliteEventLogStorage, SqliteEventLogStorage]:
    """The batching storage and the stock one, each with empty databases of its own."""
    for name in ("batching", "stock"):
        shutil.copytree(blank / "dagster" / "events", tmp_path / name)
    return (
        BatchingSqliteEventLogStorage(str(tmp_path / "batching")),
        SqliteEventLogStorage(str(tmp_path / "stock")),
    )


def entry(event: DagsterEvent | None, number: int, run: str = RUN) -> EventLogEntry:
    return EventLogEntry(
        error_info=None,
        level="info",
        user_message="",
        run_id=run,
        timestamp=1_780_000_000.0 + number,
        step_key="step",
        job_name="quarter_hour",
        dagster_event=event,
    )


def materialised(key: dg.AssetKey, window: str) -> DagsterEvent:
    data = dg.AssetMaterialization(key, partition=window, metadata={"rows": 7}, tags={TAG: window})
    return DagsterEvent(
        DagsterEventType.ASSET_MATERIALIZATION.value,
        "quarter_hour",
        step_key="step",
        event_specific_data=StepMaterializationData(data),
    )


def observed(key: dg.AssetKey, window: str) -> DagsterEvent:
    return DagsterEvent(
        DagsterEventType.ASSET_OBSERVATION.value,
        "quarter_hour",
        step_key="step",
        event_specific_data=AssetObservationData(dg.AssetObservation(key, partition=window)),
    )


def planned(key: dg.AssetKey, window: str) -> DagsterEvent:
    return DagsterEvent(
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
        "quarter_hour",
        step_key="step",
        event_specific_data=AssetMaterializationPlannedData(key, partition=window),
    )


def run_started() -> DagsterEvent:
    return DagsterEvent(DagsterEventType.RUN_START.value, "quarter_hour")


WINDOWS = ["2026-06-21-10:00", "2026-06-21-10:15", "2026-06-21-10:30"]
PLAIN = [materialised(key, window) for key in (RAW, CLEAN) for window in WINDOWS]
BATCHES = {
    "materialisations": PLAIN,
    "an observation after its materialisation": [
        planned(RAW, WINDOWS[0]),
        materialised(RAW, WINDOWS[0]),
        observed(RAW, WINDOWS[1]),
        materialised(CLEAN, WINDOWS[2]),
    ],
    "a run event among asset events": [PLAIN[0], run_started(), *PLAIN[1:]],
    "a message without an event": [PLAIN[0], None, PLAIN[1]],
}


def view(storage: SqliteEventLogStorage) -> dict[str, object]:
    """All that Dagster asks of a storage about assets, and the run's own log."""
    found: dict[str, object] = {"log": [record.event_log_entry for record in storage.get_records_for_run(RUN).records]}
    for key in (RAW, CLEAN):
        records = storage.get_event_records(dg.EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, key))
        latest = storage.get_latest_materialization_events([key]).get(key)
        [asset] = storage.get_asset_records([key]) or [None]
        found |= {
            f"{key} partitions": storage.get_materialized_partitions(key),
            f"{key} records": [(record.storage_id, record.event_log_entry) for record in records],
            f"{key} latest": latest,
            f"{key} row": asset and (asset.asset_entry.last_run_id, asset.asset_entry.last_materialization_storage_id),
            f"{key} tags": storage.get_event_tags_for_asset(key),
            f"{key} by partition": storage.get_latest_storage_id_by_partition(
                key, DagsterEventType.ASSET_MATERIALIZATION
            ),
        }
    return found


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_a_batch_is_stored_as_the_stock_storage_stores_it(pair, batch, reader, tmp_path):
    batching, stock = pair
    for storage in pair:
        storage.store_event_batch([entry(event, number) for number, event in enumerate(batch)])
    assert view(batching) == view(stock)
    assert view(reader(str(tmp_path / "batching"))) == view(stock)


def test_it_goes_on_where_the_stock_storage_stopped_and_back(pair, tmp_path):
    batching, stock = pair
    first = [entry(event, number) for number, event in enumerate(PLAIN[:3])]
    second = [entry(event, 10 + number) for number, event in enumerate(PLAIN[3:])]
    for storage in (stock, batching):
        storage.store_event_batch(first)
    BatchingSqliteEventLogStorage(str(tmp_path / "stock")).store_event_batch(second)
    SqliteEventLogStorage(str(tmp_path / "batching")).store_event_batch(second)
    assert view(batching) == view(stock)
    assert batching.get_materialized_partitions(CLEAN) == set(WINDOWS)


def test_batches_of_several_runs_go_to_the_log_of_each(pair):
    other = str(uuid4())
    for storage in pair:
        storage.store_event_batch([entry(PLAIN[0], 0), entry(PLAIN[1], 1, run=other)])
    batching, stock = pair
    assert view(batching) == view(stock)
    assert len(batching.get_records_for_run(other).records) == 1


def test_when_a_batch_fails_dagster_stores_its_events_singly_and_once(instance, monkeypatch):
    storage = instance.event_log_storage
    assert isinstance(storage, BatchingSqliteEventLogStorage)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    real, calls = storage.index_transaction, []

    @contextmanager
    def fails_late_once():
        with real() as connection:
            yield connection
            calls.append(connection)
            if len(calls) == 1:
                raise OperationalError("insert", {}, Exception("database is locked"))

    monkeypatch.setattr(storage, "index_transaction", fails_late_once)
    for number, event in enumerate(PLAIN[:3]):
        instance.handle_new_event(entry(event, number), batch_metadata=DagsterEventBatchMetadata("b", number == 2))
    assert len(calls) == 1 + 3
    records = storage.get_event_records(dg.EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, RAW))
    assert sorted(record.partition_key for record in records) == WINDOWS


def test_a_day_of_windows_is_stored_at_once(pair):
    batching, stock = pair
    day = [f"2026-06-21-{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 15)]
    events = [entry(materialised(RAW, window), number) for number, window in enumerate(day)]
    seconds = []
    for storage in (stock, batching):
        began = time.perf_counter()
        storage.store_event_batch(events)
        seconds.append(time.perf_counter() - began)
    assert batching.get_materialized_partitions(RAW) == set(day)
    assert seconds[1] < seconds[0] / 3
