import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from esus_pipeline.simulator.delivery import Readings
from esus_pipeline.simulator.wire import RequestError, Stamps, metadata, parse_request, render
from esus_pipeline.site import Site

from .conftest import ms

ZONE = ZoneInfo("Europe/Copenhagen")


def stamped(*texts: str) -> Readings:
    stamps = np.array([ms(text) for text in texts])
    return Readings(stamps, np.arange(len(texts)) + 20.5, stamps)


def texts(site: Site, readings: Readings, stamps: Stamps = "local") -> list[str]:
    return [record["timestamp"] for record in json.loads(render({6023: readings}, site, stamps))]


def test_a_record_looks_like_the_contract(site: Site) -> None:
    records = json.loads(render({6023: stamped("2024-12-10 10:45:03.120")}, site, "local"))
    assert records == [
        {
            "externallogid": 6023,
            "timestamp": "2024-12-10T11:45:03.120",
            "timestamp_tzinfo": "Europe/Copenhagen",
            "value": 20.5,
        }
    ]


def test_the_hour_that_occurs_twice_comes_twice_in_order(site: Site) -> None:
    autumn = stamped("2026-10-24 23:59", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30")
    assert [text[11:16] for text in texts(site, autumn)] == ["01:59", "02:30", "02:30", "03:30"]
    assert texts(site, autumn, "offset")[1:3] == ["2026-10-25T02:30:00.000+02:00", "2026-10-25T02:30:00.000+01:00"]


def test_the_hour_that_is_left_out_does_not_occur(site: Site) -> None:
    spring = stamped("2026-03-29 00:59:59.999", "2026-03-29 01:00")
    assert texts(site, spring) == ["2026-03-29T01:59:59.999", "2026-03-29T03:00:00.000"]
    assert texts(site, spring, "utc") == ["2026-03-29T00:59:59.999", "2026-03-29T01:00:00.000"]


def test_no_readings_give_an_empty_array(site: Site) -> None:
    assert render({}, site, "local") == b"[]"
    assert render({6023: stamped()}, site, "local") == b"[]"


def test_some_booleans_are_words_and_some_are_numbers(site: Site) -> None:
    switches = [point.id for point in site.points if point.unit == "bool"]
    one = np.array([1.0])
    found = {point_id: Readings(np.array([0]), one, np.array([0])) for point_id in switches}
    spelled = {type(record["value"]) for record in json.loads(render(found, site, "local"))}
    assert spelled == {bool, int}


def ask(**values: object) -> tuple[list[int], datetime, datetime]:
    pairs = [(key, str(v)) for key, value in values.items() for v in (value if isinstance(value, list) else [value])]
    return parse_request(QueryParams(pairs), ZONE, 3)


def test_a_time_without_offset_is_local() -> None:
    ids, start, end = ask(externallogid=[7, 8, 7], starttime="2026-07-01T00:00:00", endtime="2026-07-01T12:00:00+00:00")
    assert ids == [7, 8]
    assert start == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert end == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_an_interval_in_the_double_hour_takes_both() -> None:
    _, start, end = ask(externallogid=1, starttime="2026-10-25T02:30", endtime="2026-10-25T02:30")
    assert (end - start).total_seconds() == 3600


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"externallogid": 1, "starttime": "2026-07-01T00:00", "endtime": "2026-07-01T00:14:59"}, 400),
        ({"externallogid": 1, "starttime": "2026-07-01T01:00", "endtime": "2026-07-01T00:00"}, 400),
        ({"externallogid": 1, "starttime": "yesterday", "endtime": "2026-07-01T00:00"}, 400),
        ({"externallogid": 1, "endtime": "2026-07-01T00:00"}, 400),
        ({"externallogid": "x", "starttime": "2026-07-01T00:00", "endtime": "2026-07-01T01:00"}, 400),
        ({"starttime": "2026-07-01T00:00", "endtime": "2026-07-01T01:00"}, 400),
        ({"externallogid": [1, 2, 3, 4], "starttime": "2026-07-01T00:00", "endtime": "2026-07-01T01:00"}, 414),
    ],
)
def test_wrong_requests_are_refused(values: dict[str, object], status: int) -> None:
    with pytest.raises(RequestError) as refused:
        ask(**values)
    assert refused.value.status == status


def test_a_quarter_of_an_hour_is_long_enough() -> None:
    _, start, end = ask(externallogid=1, starttime="2026-07-01T00:00", endtime="2026-07-01T00:15")
    assert (end - start).total_seconds() == 900


def test_metadata_names_all_points_and_hundreds_of_others(site: Site) -> None:
    records = json.loads(metadata(site))
    sources = {record["externallogid"]: record["source"] for record in records}
    assert {point.id: point.path for point in site.points}.items() <= sources.items()
    assert 172 + 200 < len(sources) == len(records)
