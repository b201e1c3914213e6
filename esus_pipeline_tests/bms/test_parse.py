"""One test for each row of the table of parse, a property over all records, and the speed of a day."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.bms import REASONS
from esus_pipeline.bms.parse import Asked, MalformedBody, decode, parse_records
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS

START = datetime(2026, 1, 10, 11, 0, tzinfo=UTC)
END = datetime(2026, 1, 10, 13, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 11, tzinfo=UTC)
ZONE = "Europe/Copenhagen"


def record(value=21.5, stamp="2026-01-10T12:00:00", point=6023, zone="UTC"):
    return {"externallogid": point, "timestamp": stamp, "timestamp_tzinfo": zone, "value": value}


def parse(*records, start=START, end=END, now=NOW, ids=(6023, 6024)):
    return parse_records(list(records), Asked(frozenset(ids), start, end), ZONE, now)


def reasons(parsed):
    return parsed.rejected["reason"].tolist()


def stamps(parsed):
    return [stamp.strftime("%H:%M:%S.%f") for stamp in parsed.readings["timestamp"]]


def test_a_plain_record_fits_the_table_of_raw_readings():
    parsed = parse(record())
    assert parsed.readings.to_dict("records") == [
        {"point_id": 6023, "timestamp": pd.Timestamp("2026-01-10T12:00Z"), "value": 21.5, "received_at": NOW}
    ]
    assert parsed.readings.dtypes.astype(str).tolist() == [
        "int64",
        "datetime64[us, UTC]",
        "float64",
        "datetime64[us, UTC]",
    ]
    assert (len(parsed.rejected), parsed.duplicates, parsed.at_end) == (0, 0, 0)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1.0), (False, 0.0), (21, 21.0), ("21,5", 21.5), ("21.5", 21.5), (" -3e2 ", -300.0), ("+7", 7.0),
        (1e308, 1e308), (-0.0, 0.0),
    ],
)  # fmt: skip
def test_values_that_are_taken(value, number):
    assert parse(record(value)).readings["value"].tolist() == [number]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_value"), ("", "missing_value"), ("  ", "missing_value"),
        ("NaN", "not_finite"), (math.nan, "not_finite"), (math.inf, "not_finite"), ("-Infinity", "not_finite"),
        (10**400, "not_finite"), ("1e400", "not_finite"),
        ("1.234,5", "bad_value"), ("on", "bad_value"), ("1_000", "bad_value"), ("٣", "bad_value"), ([1], "bad_value"),
        ({}, "bad_value"), ("0x10", "bad_value"),
    ],
)  # fmt: skip
def test_values_that_are_refused(value, reason):
    parsed = parse(record(value), record(2.0, point=6024))
    assert reasons(parsed) == [reason]
    assert parsed.rejected["point_id"].tolist() == [6023]
    assert parsed.rejected["source"].tolist() == ["bms"]
    assert json.loads(parsed.rejected["record"][0])["externallogid"] == 6023
    assert parsed.readings["point_id"].tolist() == [6024]


def test_a_record_without_value_is_a_missing_value():
    assert reasons(parse({"externallogid": 6023, "timestamp": "2026-01-10T12:00:00Z"})) == ["missing_value"]


@pytest.mark.parametrize("thing", [None, 5, "text", [], ["externallogid"], True])
def test_a_record_that_is_no_object(thing):
    assert reasons(parse(thing, record())) == ["bad_record"]


@pytest.mark.parametrize("point", [None, "6023", 6023.0, True, -1, 2**53 + 1, 10**30, [6023]])
def test_a_point_id_that_is_none(point):
    parsed = parse(record(point=point))
    assert reasons(parsed) == ["bad_point_id"]
    assert parsed.rejected["point_id"].isna().all()


def test_a_point_that_was_not_asked_for():
    parsed = parse(record(point=9))
    assert reasons(parsed) == ["unknown_point"]
    assert parsed.rejected["point_id"].tolist() == [9]


@pytest.mark.parametrize(
    ("stamp", "zone", "utc"),
    [
        ("2026-01-10T12:00:00", "UTC", "12:00:00.000000"),
        ("2026-01-10T12:00:00", "", "11:00:00.000000"),
        ("2026-01-10T12:00:00", None, "11:00:00.000000"),
        ("2026-01-10T12:00:00", "Europe/Copenhagen", "11:00:00.000000"),
        ("2026-01-10T12:00:00", "America/St_Johns", None),
        ("2026-01-10T12:30:00", "+00:30", "12:00:00.000000"),
        ("2026-01-10T11:00:00", "-0100", "12:00:00.000000"),
        ("2026-01-10T13:00:00", "UTC+01:00", "12:00:00.000000"),
        ("2026-01-10T12:00:00Z", "Europe/Copenhagen", "12:00:00.000000"),
        ("2026-01-10T13:30:00+01:00", "UTC", "12:30:00.000000"),
        ("2026-01-10T13:30:00+0100", "no zone at all", "12:30:00.000000"),
        ("2026-01-10 12:00", "UTC", "12:00:00.000000"),
        ("2026-01-10T12:00:00.123", "UTC", "12:00:00.123000"),
        ("2026-01-10T12:00:00.1234567", "UTC", "12:00:00.123456"),
        ("2026-01-10T12:00:00.999999999Z", "", "12:00:00.999999"),
    ],
)
def test_stamps_with_and_without_zone(stamp, zone, utc):
    parsed = parse(record(stamp=stamp, zone=zone))
    assert stamps(parsed) == ([utc] if utc else [])
    assert reasons(parsed) == ([] if utc else ["outside_interval"])


@pytest.mark.parametrize(
    "stamp",
    [
        None, "", 1767951000, "now", "2026-01-10", "20260110T120000Z", "10.01.2026 12:00", "2026-02-30T12:00:00",
        "2026-01-10T24:00:00", "2026-01-10T12:60:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59",
        "2026-01-10T12:00:00 CET", "\ud800", "2026-01-10T12:00:00+99:00", ["2026-01-10T12:00:00"],
    ],
)  # fmt: skip
def test_stamps_that_are_none(stamp):
    assert reasons(parse(record(stamp=stamp), record(point=6024))) == ["bad_stamp"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "+25:00", "\ud800", 5, ["UTC"], "x\0y"])
def test_a_zone_that_nobody_knows(zone):
    assert reasons(parse(record(zone=zone), record(point=6024))) == ["unknown_zone"]


def test_spring_a_local_time_that_the_clocks_skip():
    night = {"start": datetime(2026, 3, 29, tzinfo=UTC), "end": datetime(2026, 3, 29, 3, tzinfo=UTC)}
    texts = ["2026-03-29T01:59:59", "2026-03-29T02:00:00", "2026-03-29T02:30:00", "2026-03-29T03:00:00"]
    parsed = parse(*(record(stamp=text, zone=ZONE) for text in texts), **night, now=datetime(2026, 4, 1, tzinfo=UTC))
    assert stamps(parsed) == ["00:59:59.000000", "01:00:00.000000"]
    assert reasons(parsed) == ["nonexistent_time"] * 2


AUTUMN = {
    "start": datetime(2026, 10, 24, 22, tzinfo=UTC),
    "end": datetime(2026, 10, 25, 22, tzinfo=UTC),
    "now": datetime(2026, 11, 1, tzinfo=UTC),
}


def autumn(*clock, point=6023, **interval):
    records = [record(float(i), f"2026-10-25T{text}:00", point, ZONE) for i, text in enumerate(clock)]
    return parse(*records, **{**AUTUMN, **interval})


def test_autumn_both_passes_told_apart_by_order_within_the_point():
    parsed = autumn("01:55", "02:00", "02:30", "02:55", "02:00", "02:30", "02:55", "03:00")
    assert [text[:5] for text in stamps(parsed)] == [
        "23:55", "00:00", "00:30", "00:55", "01:00", "01:30", "01:55", "02:00"
    ]  # fmt: skip
    assert parsed.readings["value"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_autumn_points_do_not_decide_for_each_other():
    def at(point, clock):
        return record(1.0, f"2026-10-25T{clock}:00", point, ZONE)

    mixed = [at(6023, "02:30"), at(6024, "02:50"), at(6023, "02:40"), at(6024, "02:10")]
    parsed = parse(*mixed, **AUTUMN)
    assert parsed.readings["point_id"].tolist() == [6024, 6024]
    assert [text[:5] for text in stamps(parsed)] == ["00:50", "01:10"]
    assert reasons(parsed) == ["ambiguous_time"] * 2


def test_autumn_without_a_step_back_is_quarantined_and_the_rest_is_kept():
    parsed = autumn("01:30", "02:10", "02:40", "03:10")
    assert [text[:5] for text in stamps(parsed)] == ["23:30", "02:10"]
    assert reasons(parsed) == ["ambiguous_time"] * 2


def test_autumn_with_two_steps_back_is_not_guessed():
    assert reasons(autumn("02:30", "02:10", "02:40", "02:20")) == ["ambiguous_time"] * 4


def test_autumn_the_pass_outside_the_interval_cannot_be_meant():
    first = autumn("02:10", "02:40", end=datetime(2026, 10, 25, 1, tzinfo=UTC))
    second = autumn("02:10", "02:40", start=datetime(2026, 10, 25, 1, tzinfo=UTC))
    assert [text[:5] for text in stamps(first)] == ["00:10", "00:40"]
    assert [text[:5] for text in stamps(second)] == ["01:10", "01:40"]


def test_autumn_the_pass_still_to_come_cannot_be_meant():
    assert [t[:5] for t in stamps(autumn("02:10", now=datetime(2026, 10, 25, 0, 20, tzinfo=UTC)))] == ["00:10"]


def test_autumn_an_offset_needs_no_guess():
    parsed = parse(record(stamp="2026-10-25T02:10:00+01:00", zone=ZONE), **AUTUMN)
    assert stamps(parsed) == ["01:10:00.000000"]


def test_a_stamp_more_than_five_minutes_ahead():
    now = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
    parsed = parse(record(stamp="2026-01-10T12:05:00"), record(stamp="2026-01-10T12:05:01"), now=now)
    assert stamps(parsed) == ["12:05:00.000000"]
    assert reasons(parsed) == ["future_stamp"]


def test_the_start_belongs_to_the_interval_and_the_end_to_the_next():
    texts = ["10:59:59.999999", "11:00:00", "12:59:59.999999", "13:00:00", "13:00:00.000001"]
    parsed = parse(*(record(stamp=f"2026-01-10T{text}") for text in texts))
    assert stamps(parsed) == ["11:00:00.000000", "12:59:59.999999"]
    assert reasons(parsed) == ["outside_interval"] * 2
    assert parsed.at_end == 1


def test_exact_repeats_are_counted_and_contradicted_values_quarantined():
    parsed = parse(record(1.0), record(2.0), record(1.0), record(1), record(1.0, point=6024), record(True))
    assert parsed.readings[["point_id", "value"]].values.tolist() == [[6023, 1.0], [6024, 1.0]]
    assert parsed.duplicates == 3
    assert reasons(parsed) == ["superseded"]
    assert json.loads(parsed.rejected["record"][0])["value"] == 2.0


def test_the_last_value_wins():
    parsed = parse(record(1.0), record(2.0))
    assert parsed.readings["value"].tolist() == [2.0]
    assert reasons(parsed) == ["superseded"]


def test_order_of_arrival_changes_nothing():
    rows = [
        record(float(minute), f"2026-01-10T12:{minute:02}:00", point) for minute in range(60) for point in (6023, 6024)
    ]
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    pd.testing.assert_frame_equal(parse(*rows).readings, parse(*shuffled).readings)


def test_other_keys_are_ignored():
    assert len(parse({**record(), "quality": "Good", "unit": None}).readings) == 1


def test_a_long_record_is_kept_to_two_thousand_characters():
    parsed = parse(record("x" * 5_000))
    assert len(parsed.rejected["record"][0]) == 2_000


BODY = json.dumps([record(), record(2.0, point=6024)]).encode()


def test_a_body_cut_at_any_byte_is_refused_as_a_whole():
    for length in range(len(BODY)):
        with pytest.raises(MalformedBody) as caught:
            decode(BODY[:length])
        assert caught.value.reason == "not_json"
    assert len(decode(BODY)) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html><body>Bad gateway</body></html>", "not_json"),
        (b"\xff\xfe\xfa", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"error": "no"}', "wrong_schema"),
        (b"null", "wrong_schema"),
        (b"[1, 2, 3]", "wrong_schema"),
        (b'[{"externallogid": 1, "time": "2026-01-10T12:00:00", "value": 1}]', "wrong_schema"),
    ],
)
def test_a_body_that_is_not_the_contract(body, reason):
    with pytest.raises(MalformedBody) as caught:
        decode(body)
    assert caught.value.reason == reason


def test_an_empty_array_and_a_byte_order_mark_are_fine():
    assert decode(b"[]") == []
    assert len(decode(b"\xef\xbb\xbf" + BODY)) == 2


def test_a_number_of_ten_thousand_digits_costs_only_its_own_record():
    body = BODY.replace(b"21.5", b"1" * 10_000)
    parsed = parse(*decode(body))
    assert reasons(parsed) == ["not_finite"]
    assert len(parsed.readings) == 1


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
LOCAL = st.builds("2026-10-25T0{}:{:02}:00".format, st.integers(0, 7), st.integers(0, 59))
PLAUSIBLE = st.fixed_dictionaries(
    {
        "externallogid": st.sampled_from([6023, 6024, 9]) | ANY_JSON,
        "timestamp": st.sampled_from([f"2026-10-25T02:{m:02}:00" for m in (0, 1, 2)]) | LOCAL | ANY_JSON,
        "value": st.sampled_from([1.0, 2, "1,0", True, None, "NaN"]) | ANY_JSON,
    },
    optional={"timestamp_tzinfo": st.sampled_from([ZONE, "", "UTC", "+01:00", None]) | ANY_JSON},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PLAUSIBLE | ANY_JSON, max_size=12), st.integers(0, 48))
def test_nothing_is_lost_whatever_arrives(records, quarter_hours):
    now = AUTUMN["start"] + timedelta(minutes=15 * quarter_hours)
    end = datetime(2026, 10, 25, 2, tzinfo=UTC)
    parsed = parse(*records, start=AUTUMN["start"], end=end, now=now)
    assert len(parsed.readings) + len(parsed.rejected) + parsed.duplicates + parsed.at_end == len(records)
    assert set(parsed.rejected["reason"]) <= set(REASONS)
    assert not parsed.readings.duplicated(["point_id", "timestamp"]).any()
    assert parsed.readings["timestamp"].between(AUTUMN["start"], end, inclusive="left").all()
    assert np.isfinite(parsed.readings["value"]).all()
    pd.testing.assert_frame_equal(parsed.readings, RAW_BMS_READINGS.conform(parsed.readings))
    assert QUARANTINE.conform(parsed.rejected)["record"].str.len().le(2_000).all()


@pytest.mark.parametrize("day", ["2024-12-10", "2024-10-27"])
def test_nothing_of_a_day_of_all_points_is_lost(day):
    points = range(6000, 6172)
    instants = [f"{day}T{hour:02}:{minute:02}:00.120" for hour in range(24) for minute in range(0, 60, 5)]
    body = json.dumps([record(20.5, instant, point, ZONE) for point in points for instant in instants]).encode()
    start = datetime.fromisoformat(f"{day}T00:00:00+02:00")
    parsed = parse(*decode(body), start=start, end=start + timedelta(hours=27), ids=points)
    assert len(parsed.readings) + len(parsed.rejected) == 172 * 288
