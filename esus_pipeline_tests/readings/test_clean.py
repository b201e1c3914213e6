import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.frames import CLEAN_SERIES, RAW_BMS_READINGS
from esus_pipeline.readings import Quality, clean
from esus_pipeline.readings.quality import WITNESS_AGE
from esus_pipeline_tests.readings.house import MINUTE, NOON, A, house, raw

END = NOON + timedelta(days=1)


def verdicts(*rows: tuple[int, float, float]) -> list[str]:
    return clean(house(), raw(*rows), None, END).quality.tolist()


def test_nothing_in_nothing_out():
    pd.testing.assert_frame_equal(clean(house(), raw(), None, END), CLEAN_SERIES.empty())


def test_points_get_their_meaning_and_canonical_units():
    got = clean(house(), raw((50, 0, 68), (99, 0, 293.15), (40, 0, 21)), None, END)
    assert got.columns.tolist() == CLEAN_SERIES.schema.names
    assert got.point_id.tolist() == [40, 50, 99]
    assert got.quantity.tolist() == ["order", "air_temperature", "outdoor_temperature"]
    assert got.unit.tolist() == ["degC"] * 3
    assert got.value.tolist() == pytest.approx([21, 20, 20])
    assert got.room.tolist()[:2] == [A, A]
    assert got.room.isna().tolist() == [False, False, True]
    assert set(got.quality) == {"good"}


def test_an_unknown_point_is_kept_as_it_came():
    got = clean(house(), raw((12345, 0, 7.5), (5, 0, 1), (1_000_000, 0, 2)), None, END)
    assert got.value.tolist() == [1, 7.5, 2]
    assert got.quantity.tolist() == ["unmapped"] * 3
    assert got.quality.tolist() == ["unmapped"] * 3
    assert got.room.isna().all()


def test_a_unit_that_cannot_be_converted_is_flagged_and_the_value_kept():
    got = clean(house(), raw((90, 0, 900)), None, END)
    assert (got.value[0], got.unit[0], got.quality[0]) == (900, "furlong/h", "unit")


def test_a_quantity_without_facts_is_carried_as_it_is():
    got = clean(house(), raw((80, 0, 1e6)), None, END)
    assert (got.value[0], got.unit[0], got.quality[0]) == (1e6, "percent", "good")


@pytest.mark.parametrize(
    ("point", "value", "quality"),
    [
        (70, 5, "good"),
        (70, 45, "good"),
        (70, 4.99, "out_of_range"),
        (70, 45.01, "out_of_range"),
        (50, 68, "good"),
        (50, 20, "out_of_range"),  # degF
        (10, math.inf, "out_of_range"),
        (10, -math.inf, "out_of_range"),
    ],
)
def test_the_range_is_judged_in_the_canonical_unit(point, value, quality):
    assert verdicts((point, 0, value)) == [quality]


def test_a_spike_is_flagged_and_the_return_from_it_is_not():
    assert verdicts((70, 0, 20), (70, 5, 20.2), (70, 10, 35), (70, 15, 20.3)) == ["good", "good", "rate", "good"]


def test_a_lasting_step_costs_one_reading():
    assert verdicts((70, 0, 20), (70, 1, 20), (70, 2, 30), (70, 3, 30), (70, 4, 30)) == [
        "good", "good", "rate", "good", "good",
    ]  # fmt: skip


def test_the_limit_itself_is_honest():
    assert verdicts((70, 0, 20), (70, 5, 20), (70, 10, 25)) == ["good"] * 3
    assert verdicts((70, 0, 20), (70, 5, 20), (70, 10, 30.1)) == ["good", "good", "rate"]  # 10.1 K in 10 min
    assert verdicts((70, 0, 20), (70, 5, 20), (70, 10, 29.9)) == ["good"] * 3  # 9.9 K since the one before


def test_one_step_of_resolution_within_seconds_is_no_jump():
    assert verdicts((70, 0, 20), (70, 0.01, 20.1), (70, 0.02, 20.9)) == ["good"] * 3


def test_a_broken_or_strange_reading_is_no_witness():
    assert verdicts((70, 0, 20), (70, 1, 200), (70, 2, 30)) == ["good", "out_of_range", "good"]
    assert verdicts((70, 0, 20), (70, 1, 20), (70, 2, 200), (70, 3, 20)) == ["good", "good", "out_of_range", "good"]


def test_points_do_not_speak_against_each_other():
    assert verdicts((60, 0, 400), (60, 1, 400), (61, 2, 4000)) == ["good"] * 3


def test_readings_before_the_start_are_witnesses_and_those_after_the_end_do_not_exist():
    rows = raw((70, -2, 20), (70, -1, 20), (70, 0, 40), (70, 15, 20), (70, 16, 20))
    got = clean(house(), rows, NOON, NOON + 15 * MINUTE)
    assert got.timestamp.tolist() == [pd.Timestamp(NOON)]
    assert got.quality.tolist() == ["rate"]


ROWS = st.lists(
    st.tuples(st.sampled_from([10, 50, 60, 70, 90, 777]), st.integers(-300, 300), st.floats(-50, 6000)),
    unique_by=lambda row: row[:2],
    max_size=60,
)


@settings(max_examples=20, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 9))
def test_every_raw_row_is_in_the_clean_series_exactly_once_whatever_its_order(rows, seed):
    given_ = raw(*rows)
    got = clean(house(), given_.sample(frac=1, random_state=seed), None, END)
    keys = sorted((point, NOON + minute * MINUTE) for point, minute, _ in rows)
    assert list(zip(got.point_id, got.timestamp, strict=True)) == keys
    assert set(got.quality) <= {str(flag) for flag in Quality}
    pd.testing.assert_frame_equal(got, clean(house(), given_, None, END))


@settings(max_examples=20, deadline=None)
@given(rows=ROWS, cut=st.integers(-300, 300))
def test_an_hour_of_history_gives_the_verdict_of_all_history(rows, cut):
    given_ = raw(*rows)
    start = NOON + cut * MINUTE
    whole = clean(house(), given_, None, END)
    part = clean(house(), given_[given_.timestamp >= start - WITNESS_AGE], start, END)
    pd.testing.assert_frame_equal(part, whole[whole.timestamp >= start].reset_index(drop=True))


def test_stamps_of_any_resolution_mean_the_same():
    rows = raw((70, 0, 20), (70, 1, 20), (70, 2, 40))
    coarse = rows.astype({"timestamp": "datetime64[ms, UTC]"})
    pd.testing.assert_frame_equal(clean(house(), coarse, None, END), clean(house(), rows, None, END))


def test_the_real_month_is_almost_all_good(ou44):
    got = clean(ou44.site, ou44.raw, None, datetime(2017, 5, 1, tzinfo=UTC))
    assert len(got) == len(ou44.raw) == 86_639
    assert (got.quality == Quality.GOOD).mean() > 0.999
    assert set(RAW_BMS_READINGS.key) <= set(got.columns)
