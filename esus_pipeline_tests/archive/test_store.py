import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.archive import Archive
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS, FrameError, room_table
from esus_pipeline_tests.archive.rows import DAY, readings

RAW = RAW_BMS_READINGS
HOUR = timedelta(hours=1)


def hashes(archive: Archive) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in archive.root.glob("*/*.parquet")}


def test_an_empty_archive_has_nothing(tmp_path):
    archive = Archive(tmp_path / "not there")
    pd.testing.assert_frame_equal(archive.read(RAW), RAW.empty())
    assert archive.days(RAW) == []
    assert list(archive.read_days(RAW)) == []
    assert archive.corrupt() == []


def test_rows_go_to_the_file_of_their_utc_day_in_key_order(tmp_path):
    archive = Archive(tmp_path)
    df = readings([7, 3], DAY - HOUR, 24)  # 23:00 to 00:55
    merge = archive.merge(RAW, df.sample(frac=1, random_state=1))
    assert (merge.new, merge.updated, merge.same, merge.repeated) == (48, 0, 0, 0)
    assert sorted(path.name for path in (tmp_path / RAW.name).glob("*.parquet")) == [
        "2026-06-20.parquet",
        "2026-06-21.parquet",
    ]
    stored = pd.read_parquet(tmp_path / RAW.name / "2026-06-21.parquet")
    expected = df[df.timestamp >= DAY].sort_values(["point_id", "timestamp"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(stored, expected)


def test_read_picks_interval_points_and_columns(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1, 2, 3], DAY - HOUR, 24))
    got = archive.read(RAW, DAY, DAY + timedelta(minutes=10), columns=["value", "timestamp"], point_id=[2])
    expected = pd.DataFrame({"value": [26.0, 26.5], "timestamp": [DAY, DAY + timedelta(minutes=5)]})
    pd.testing.assert_frame_equal(got, expected.astype({"timestamp": "datetime64[us, UTC]"}))
    assert archive.read(RAW, point_id=[]).empty
    assert len(archive.read(RAW, DAY)) == 36
    assert len(archive.read(RAW, None, DAY)) == 36
    assert archive.days(RAW, DAY) == [DAY.date()]
    assert archive.days(RAW, None, DAY) == [(DAY - HOUR).date()]
    assert [(str(day), len(part)) for day, part in archive.read_days(RAW, point_id=[1, 3])] == [
        ("2026-06-20", 24),
        ("2026-06-21", 24),
    ]


def test_instants_of_any_zone_mean_the_same(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1], DAY, 24))
    copenhagen = pd.Timestamp("2026-06-21 03:00", tz="Europe/Copenhagen").to_pydatetime()
    assert len(archive.read(RAW, copenhagen)) == 12


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda a: a.read(RAW, datetime(2026, 6, 21)), ValueError, "no zone"),  # noqa: DTZ001
        (lambda a: a.read(RAW, columns=["price"]), ValueError, "price"),
        (lambda a: a.read(RAW, room=["1.213"]), ValueError, "room"),
        (lambda a: a.merge(RAW, readings([1], DAY, 1).drop(columns="value")), FrameError, "value"),
        (lambda a: a.replace(RAW, readings([1], DAY, 1), DAY - HOUR, DAY), ValueError, "outside"),
        (lambda a: a.replace(RAW, pd.concat([readings([1], DAY, 1)] * 2), DAY, DAY + HOUR), ValueError, "same"),
    ],
)
def test_misuse_is_named_and_stores_nothing(tmp_path, call, error, words):
    with pytest.raises(error, match=words):
        call(Archive(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_merge_tells_new_updated_same_and_keeps_what_was_superseded(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1], DAY, 3))
    later = readings([1], DAY, 4, received=DAY + timedelta(days=3))  # three known readings and one new
    later.loc[1, "value"] = -5.0
    merge = archive.merge(RAW, later, compare=["value"])
    assert (merge.new, merge.updated, merge.same, merge.repeated) == (1, 1, 2, 0)
    assert merge.changed.value.tolist() == [-5.0, 21.5]
    assert merge.superseded.value.tolist() == [20.5]
    stored = archive.read(RAW)
    assert stored.value.tolist() == [20.0, -5.0, 21.0, 21.5]
    assert (stored.received_at - pd.Timestamp(DAY)).dt.days.tolist() == [2, 3, 2, 3]


def test_within_one_delivery_the_last_row_of_a_key_counts(tmp_path):
    archive = Archive(tmp_path)
    merge = archive.merge(RAW, pd.concat([readings([1], DAY, 2), readings([1], DAY, 2, value=30)]))
    assert (merge.new, merge.repeated) == (2, 2)
    assert archive.read(RAW).value.tolist() == [30.0, 30.5]


def test_what_changes_nothing_writes_nothing(tmp_path):
    archive = Archive(tmp_path)
    df = readings([1, 2], DAY, 10)
    archive.merge(RAW, df)
    before = hashes(archive)
    assert archive.merge(RAW, df).same == 20
    assert archive.merge(RAW, readings([2], DAY, 5, received=DAY), compare=["value"]).same == 5
    assert archive.replace(RAW, df, DAY, DAY + timedelta(days=1)) == 0
    assert archive.replace(RAW, df[:0], DAY + timedelta(days=1), DAY + timedelta(days=2)) == 0
    assert hashes(archive) == before


def test_replace_makes_the_interval_what_is_given_and_leaves_the_rest(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1, 2], DAY - HOUR, 24))
    start, end = DAY - timedelta(minutes=10), DAY + timedelta(minutes=10)
    given_ = readings([1], DAY - timedelta(minutes=5), 2, value=25.5)  # 23:55 as stored, 00:00 as stored
    given_.loc[1, "value"] = 99.0
    # stored in the interval: 23:50, 23:55, 00:00, 00:05 of both points; one stays, one changes, six go
    assert archive.replace(RAW, given_, start, end) == 7
    stored = archive.read(RAW)
    inside = stored[(stored.timestamp >= start) & (stored.timestamp < end)]
    assert inside.value.tolist() == [25.5, 99.0]
    assert len(stored) == 48 - 8 + 2


def test_a_refused_record_keeps_its_first_time(tmp_path):
    archive = Archive(tmp_path)
    row = {"source": "bms", "reason": "not a number", "point_id": pd.NA, "record": '{"value": "sha256:x"}'}
    first = pd.DataFrame([{"received_at": pd.Timestamp(DAY), **row}]).astype({"point_id": "Int64"})
    again = first.assign(received_at=first.received_at + HOUR)
    assert archive.merge(QUARANTINE, first, compare=[]).new == 1
    assert archive.merge(QUARANTINE, again, compare=[]).same == 1
    stored = archive.read(QUARANTINE)
    assert stored.received_at.tolist() == [pd.Timestamp(DAY)]
    assert stored.record.tolist() == ['{"value": "sha256:x"}']
    assert stored.point_id.isna().all()


def test_a_table_may_gain_and_lose_columns(tmp_path):
    archive = Archive(tmp_path)
    old, new = room_table(["co2", "lux"]), room_table(["co2", "noise"])
    key = {"room": ["a"], "timestamp": [pd.Timestamp(DAY)]}
    archive.merge(old, pd.DataFrame({**key, "co2": [500.0], "lux": [80.0]}))
    read = archive.read(new)
    assert read.columns.tolist() == ["room", "timestamp", "co2", "noise"]
    assert read.co2.tolist() == [500.0]
    assert read.noise.isna().all()
    assert len(archive.read(new, columns=["noise"])) == 1
    archive.merge(new, pd.DataFrame({**key, "co2": [510.0], "noise": [1.0]}).assign(room="b"))
    assert archive.read(old, room=["a"]).lux.tolist() == [80.0]
    assert archive.read(old, room=["b"]).lux.isna().all()
    assert archive.read(new, room=["b"]).noise.tolist() == [1.0]


def test_anyone_can_read_the_files(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1, 2], DAY - HOUR, 24))
    expected = archive.read(RAW)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / RAW.name), expected)
    glob = f"{tmp_path}/**/*.parquet"
    query = "select point_id, count(*), sum(value), min(timestamp), max(received_at) from read_parquet(?) group by 1"
    rows = duckdb.execute(query + " order by 1", [glob]).fetchall()
    assert [(point, count, total) for point, count, total, *_ in rows] == [(1, 24, 618.0), (2, 24, 618.0)]
    assert rows[0][3] == DAY - HOUR
    assert rows[0][4] == expected.received_at.iloc[0].to_pydatetime()


def test_equal_rows_give_equal_bytes_whatever_the_order_of_writing(tmp_path):
    df = readings([1, 2, 3], DAY, 50)
    whole, parts = Archive(tmp_path / "whole"), Archive(tmp_path / "parts")
    whole.merge(RAW, df)
    for part in (df[100:], df[:60], df[60:100]):
        parts.merge(RAW, part)
    assert [data for data, _ in hashes(whole).values()] == [data for data, _ in hashes(parts).values()]


def test_one_point_is_found_without_decoding_the_others(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings(list(range(100)), DAY, 288))
    path = tmp_path / RAW.name / "2026-06-21.parquet"
    groups = pq.ParquetFile(path).metadata
    holding = [
        index
        for index in range(groups.num_row_groups)
        if groups.row_group(index).column(0).statistics.min <= 50 <= groups.row_group(index).column(0).statistics.max
    ]
    assert len(holding) == 1 < groups.num_row_groups
    assert len(archive.read(RAW, point_id=[50])) == 288


KEYS = st.tuples(st.integers(1, 3), st.integers(100, 200))
DELIVERY = st.dictionaries(KEYS, st.floats(-1, 1, allow_nan=False), max_size=12)


def frame_of(delivery: dict[tuple[int, int], float]) -> pd.DataFrame:
    rows = [(point, DAY + timedelta(minutes=10 * step), value, DAY) for (point, step), value in delivery.items()]
    df = pd.DataFrame(rows, columns=RAW.schema.names)
    return RAW.conform(df) if rows else RAW.empty()


@settings(max_examples=15, deadline=None)
@given(deliveries=st.lists(DELIVERY, max_size=4))
def test_merging_is_a_dictionary_update(tmp_path_factory, deliveries):
    root = tmp_path_factory.mktemp("archive")
    archive, model = Archive(root), {}
    for delivery in deliveries:
        merge = archive.merge(RAW, frame_of(delivery))
        assert merge.new == len(delivery.keys() - model.keys())
        assert merge.updated == sum(model[key] != value for key, value in delivery.items() if key in model)
        assert merge.new + merge.updated + merge.same == len(delivery)
        assert len(merge.changed) == merge.new + merge.updated
        assert len(merge.superseded) == merge.updated
        model |= delivery
        before = hashes(archive)
        assert archive.merge(RAW, frame_of(delivery)).same == len(delivery)
        assert hashes(archive) == before
    pd.testing.assert_frame_equal(
        archive.read(RAW).sort_values(["point_id", "timestamp"], ignore_index=True),
        frame_of(dict(sorted(model.items()))),
    )
    shutil.rmtree(root)


@settings(max_examples=10, deadline=None)
@given(left=DELIVERY, right=DELIVERY)
def test_merges_of_disjoint_keys_commute(tmp_path_factory, left, right):
    right = {key: value for key, value in right.items() if key not in left}
    root = tmp_path_factory.mktemp("archive")
    one, other = Archive(root / "one"), Archive(root / "other")
    for archive, order in ((one, (left, right)), (other, (right, left))):
        for delivery in order:
            archive.merge(RAW, frame_of(delivery))
    assert [data for data, _ in sorted(hashes(one).values())] == [data for data, _ in sorted(hashes(other).values())]
    shutil.rmtree(root)


def test_a_year_is_read_one_day_at_a_time(tmp_path):
    archive = Archive(Path(tmp_path))
    for day in range(5):
        archive.merge(RAW, readings([1], datetime(2026, 1, 1 + day, tzinfo=UTC), 3))
    days = archive.read_days(RAW)
    next(days)
    shutil.rmtree(tmp_path / RAW.name)  # what was not asked for yet was not read yet
    assert list(days) == []
