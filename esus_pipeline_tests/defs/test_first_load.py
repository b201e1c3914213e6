from datetime import UTC, date, datetime

import pytest

from esus_pipeline.demo.dagster_api import DagsterApi
from esus_pipeline.demo.first_load import FirstLoad

NOBODY = DagsterApi("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("first_day", "now", "first", "last", "count"),
    [
        (date(2026, 11, 23), datetime(2026, 11, 24, 0, 47, tzinfo=UTC), "2026-11-23-00:00", "2026-11-24-00:30", 99),
        (date(2026, 11, 23), datetime(2026, 11, 24, 0, 0, tzinfo=UTC), "2026-11-23-00:00", "2026-11-23-23:45", 96),
        (date(2026, 11, 1), datetime(2026, 11, 24, 0, 0, tzinfo=UTC), "2026-11-17-00:00", "2026-11-23-23:45", 7 * 96),
    ],
)
def test_all_whole_windows_since_the_first_day_are_loaded_but_a_week_at_most(first_day, now, first, last, count):
    keys = FirstLoad(NOBODY, first_day, now).keys
    assert (keys[0], keys[-1], len(keys)) == (first, last, count)
