"""Lines as the real parser reads them: exact texts, floats always, absence as absence."""

import math

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.influx import Sender
from esus_pipeline.influx.lines import Shape, Tally, batches, encode
from esus_pipeline_tests.influx.conftest import config_of

SHAPE = Shape("m", "time", ("room", "point_id"), ("value", "other"), ("note",))
START = pd.Timestamp("2026-01-01T00:00:00.000001Z")


def frame(rows: int, **columns: object) -> pd.DataFrame:
    given = {"room": "a", "point_id": 1, "value": 1.5, "other": math.nan, "note": None, **columns}
    times = pd.date_range(START, periods=rows, freq="s", unit="us")
    return pd.DataFrame({"time": times, **given}, index=range(rows))


def lines(rows: pd.DataFrame, shape: Shape = SHAPE) -> tuple[list[str], Tally]:
    tally = Tally()
    return list(encode(shape, rows, tally, site="s")), tally


def test_a_number_is_a_float_and_absence_is_no_field():
    told, tally = lines(frame(2, value=[21, 7], other=[math.nan, -1e-300], note=["good", None]))
    stamp = START.value // 1000
    assert told == [
        f'm,point_id=1,room=a,site=s value=21.0,note="good" {stamp}',
        f"m,point_id=1,room=a,site=s value=7.0,other=-1e-300 {stamp + 1_000_000}",
    ]
    assert (tally.lines, tally.empty, tally.not_finite) == (2, 0, 0)


def test_infinity_is_left_out_and_counted_and_a_row_without_a_field_is_not_sent():
    told, tally = lines(frame(3, value=[math.inf, math.nan, -math.inf], other=[1.0, math.nan, math.nan]))
    assert [line.split(" ")[1] for line in told] == ["other=1.0"]
    assert (tally.lines, tally.empty, tally.not_finite) == (1, 2, 2)


def test_a_missing_tag_is_absent_and_series_stay_together_in_their_order():
    told, _ = lines(frame(4, room=["b", "a", "b", None], value=[1, 2, 3, 4]))
    assert [line.split(" ")[:2] for line in told] == [
        ["m,point_id=1,room=b,site=s", "value=1.0"],
        ["m,point_id=1,room=b,site=s", "value=3.0"],
        ["m,point_id=1,room=a,site=s", "value=2.0"],
        ["m,point_id=1,site=s", "value=4.0"],
    ]


def test_no_rows_give_no_lines_and_batches_hold_all_lines():
    assert lines(frame(0))[0] == []
    assert [len(batch) for batch in batches(map(str, range(12)), 5)] == [5, 5, 2]


@pytest.mark.parametrize("room", ["a\nb", "ends in \\"])
def test_a_tag_that_cannot_be_written_is_told_and_keeps_nothing_else_back(room):
    told, tally = lines(frame(2, room=[room, "a"]))
    assert len(told) == 1
    [row] = tally.unencodable
    assert repr(room) in row


TEXTS = [
    "plain",
    "a,b=c d",
    'say "x"',
    "\\",
    'ends in \\"',
    "two\nlines\r\n",
    "=,\\, \\=",
    "æøå ☀",
    "1.5",
    "t",
    "",
    "#",
]


@pytest.mark.real
def test_texts_and_numbers_come_back_exactly_from_the_real_server(influx):
    numbers = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 123456789.123456789, 1e-7, 2, -3, 0.0, 1 / 3, 42]
    tags = [text.replace("\n", "/").rstrip("\\") or "x" for text in TEXTS]
    rows = frame(len(TEXTS), room=tags, value=np.array(numbers, dtype=float), note=TEXTS)
    with Sender(config_of(influx)) as sender:
        assert sender.send(lines(rows)[0]) == len(rows)
    found = sorted(influx.query("SELECT * FROM m", epoch="u"), key=lambda row: row["time"])
    assert [(row["room"], row["value"], row["note"], row["time"]) for row in found] == [
        (tag, number, text, stamp)
        for tag, number, text, stamp in zip(tags, numbers, TEXTS, rows["time"].astype("int64"), strict=True)
    ]
