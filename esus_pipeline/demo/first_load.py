"""Making the demo's windows green: a ranged backfill of what is missing, asked for again when it failed."""

from datetime import UTC, date, datetime, timedelta

from esus_pipeline.demo.dagster_api import DagsterApi, DagsterApiError
from esus_pipeline.frames import STEP

ASSETS = [
    "raw_bms_readings",
    "clean_series",
    "point_states",
    "weather_forecast",
    "solar_gain",
    "electricity_price",
    "shade_setpoint_schedule",
]
KEY_FORMAT = "%Y-%m-%d-%H:%M"
LONGEST = timedelta(days=7)
"""What is loaded at most when a demo is started again after a long time."""

BACKFILLS = 4
"""So many are launched at most: one is enough unless processes die."""


class FirstLoad:
    """The windows from the first day (UTC) until `now`, and how far they are."""

    def __init__(self, api: DagsterApi, first_day: date, now: datetime) -> None:
        """Nothing is asked yet."""
        midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
        count, first = (now - midnight) // STEP, max(0, (now - LONGEST - midnight) // STEP)
        self.keys = [(midnight + step * STEP).strftime(KEY_FORMAT) for step in range(first, count)]
        self.green: dict[str, set[str]] = {asset: set() for asset in ASSETS}
        self._api, self._launched = api, 0

    def advance(self) -> bool:
        """Launch a backfill of the missing windows unless one is under way; whether all windows are green.

        DagsterApiError when Dagster cannot be asked, or when the backfills that were launched did not help.
        """
        if self._api.backfill_under_way():
            return False
        ranges = self._api.materialized(ASSETS)
        self.green = {
            asset: {key for key in self.keys if any(first <= key <= last for first, last in ranges.get(asset, []))}
            for asset in ASSETS
        }
        missing = [key for key in self.keys if not all(key in green for green in self.green.values())]
        if missing and self._launched < BACKFILLS:
            self._api.launch_backfill(ASSETS, missing, "first load")
            self._launched += 1
        elif missing:
            raise DagsterApiError(f"{len(missing)} windows are missing after {BACKFILLS} backfills")
        return not missing
