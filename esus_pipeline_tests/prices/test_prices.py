"""Prices over a real socket, from a server that speaks Energi Data Service's API; and answers that are refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from esus_pipeline.connect import price_source
from esus_pipeline.frames import ELECTRICITY_PRICE
from esus_pipeline.prices import known_prices, obtain
from esus_pipeline.prices.energi_data_service import parse
from esus_pipeline.settings import Settings
from esus_pipeline.simulator.config import SimulatorConfig
from esus_pipeline.site import load_site
from esus_pipeline.weather import RejectedForecastError
from esus_pipeline_tests.simulator.conftest import serving

TMV23 = load_site("tmv23")
MORNING = datetime(2026, 6, 16, 6, tzinfo=UTC)
AFTERNOON = datetime(2026, 6, 16, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> list[datetime]:
    return [MORNING]


@pytest.fixture
def source(tmp_path, clock):
    with serving(SimulatorConfig(seed=3, now=lambda: clock[0])) as url:
        yield price_source(Settings(data_dir=tmp_path, price_url=url))


def test_a_day_is_asked_for_once_and_tomorrow_when_it_is_published(source, clock):
    first = obtain(TMV23, source, ELECTRICITY_PRICE.empty(), [MORNING], MORNING)
    assert (len(first.rows), first.requests, first.notes) == (192, 1, ())
    assert obtain(TMV23, source, first.rows, [MORNING], MORNING + timedelta(minutes=15)).requests == 0
    clock[0] = AFTERNOON
    second = obtain(TMV23, source, first.rows, [AFTERNOON], AFTERNOON)
    assert len(second.rows) == 96
    assert second.rows["valid_time"].min() == first.rows["valid_time"].max() + timedelta(minutes=15)


def test_two_requests_within_a_minute_are_not_sent(source):
    days = [MORNING - timedelta(days=9)], [MORNING]
    assert len(obtain(TMV23, source, ELECTRICITY_PRICE.empty(), days[0], MORNING).rows)
    hasty = obtain(TMV23, source, ELECTRICITY_PRICE.empty(), days[1], MORNING + timedelta(seconds=59))
    assert (len(hasty.rows), hasty.requests) == (0, 0)
    assert "at most one request" in hasty.notes[0]
    assert len(obtain(TMV23, source, ELECTRICITY_PRICE.empty(), days[1], MORNING + timedelta(seconds=61)).rows) == 192


def test_a_backfill_knows_a_price_from_its_publication_on(source, clock):
    clock[0] = AFTERNOON
    rows = obtain(TMV23, source, ELECTRICITY_PRICE.empty(), [AFTERNOON - timedelta(days=8)], AFTERNOON).rows
    eighth_noon = datetime(2026, 6, 8, 10, 59, tzinfo=UTC)
    before = known_prices(TMV23, rows, eighth_noon)
    after = known_prices(TMV23, rows, eighth_noon + timedelta(minutes=1))
    assert before.index.max() == datetime(2026, 6, 8, 21, 45, tzinfo=UTC)
    assert after.index.max() == datetime(2026, 6, 9, 21, 45, tzinfo=UTC)
    assert np.allclose(after.iloc[0], rows.sort_values("valid_time")["price"].iloc[0] + 1.20)


def test_without_a_price_area_or_a_server_the_tariff_is_all_there_is(tmp_path):
    fixed = TMV23.model_copy(update={"tariffs": TMV23.tariffs.model_copy(update={"price_area": None})})
    nowhere = price_source(Settings(data_dir=tmp_path, price_url="http://127.0.0.1:9"))
    assert obtain(fixed, nowhere, ELECTRICITY_PRICE.empty(), [MORNING], MORNING).requests == 0
    failed = obtain(TMV23, nowhere, ELECTRICITY_PRICE.empty(), [MORNING], MORNING)
    assert "check the address and the network" in failed.notes[0]
    assert known_prices(TMV23, failed.rows, MORNING) is None


def record(time: str, euro: float, krone: float, area: str = "DK1") -> dict[str, object]:
    return {"TimeUTC": time, "PriceArea": area, "DayAheadPriceEUR": euro, "DayAheadPriceDKK": krone}


GOOD = [record("2025-10-11T12:00:00", 50.12, 374.3), record("2025-10-11T12:15:00", -1.1, -8.2)]


def test_the_documented_answer_is_read_and_a_negative_price_stays_negative():
    prices = parse(json.dumps({"records": GOOD}), "DK1")
    assert prices["price"].tolist() == pytest.approx([0.3743, -0.0082])
    assert parse('{"records": []}', "DK1").empty


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html>", "not_json"),
        ('{"error": 1}', "wrong_schema"),
        ({"records": [record("2025-10-11T12:00:00", 50, 373, "SE3")]}, "wrong_schema"),
        ({"records": GOOD[::-1]}, "stamps_not_increasing"),
        ({"records": [record("2025-10-11T12:07:00", 50, 373)]}, "wrong_schema"),
        ({"records": [record("2025-10-11T12:00:00", 50, None)]}, "missing_values"),
        ({"records": [record("2025-10-11T12:00:00", 99_999, 745_992)]}, "out_of_bounds"),
        ({"records": [record("2025-10-11T12:00:00", 50, 50)]}, "components_disagree"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_refused_with_the_reason(body, reason):
    with pytest.raises(RejectedForecastError) as caught:
        parse(body if isinstance(body, str) else json.dumps(body), "DK1")
    assert caught.value.reason == reason


def test_the_simulators_prices_are_those_of_the_real_api_in_shape(clock):
    with serving(replace(SimulatorConfig(), now=lambda: clock[0])) as url:
        query = {"start": "2026-03-29T00:00", "end": "2026-03-30T00:00", "filter": '{"PriceArea":["DK1"]}'}
        answer = httpx.get(f"{url}/dataset/DayAheadPrices", params=query).json()
        assert answer["total"] == len(answer["records"]) == 92
        assert answer["records"][0].keys() >= {"TimeUTC", "TimeDK", "PriceArea", "DayAheadPriceEUR", "DayAheadPriceDKK"}
        assert httpx.get(f"{url}/dataset/DayAheadPrices", params={"start": "yesterday"}).status_code == 400
