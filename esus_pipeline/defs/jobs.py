"""The jobs: the quarter-hour chain, and the repair of what late readings changed."""

import dagster as dg

from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.prices import electricity_price
from esus_pipeline.defs.quality import point_rhythm, point_states
from esus_pipeline.defs.readings import clean_series, raw_bms_readings
from esus_pipeline.defs.weather import solar_gain, weather_forecast

ASSETS = [
    raw_bms_readings,
    clean_series,
    point_states,
    weather_forecast,
    solar_gain,
    electricity_price,
    shade_setpoint_schedule,
]
"""The chain: what every window goes through."""

UPKEEP = [point_rhythm]
"""What is made once a day."""

LIVE_TAGS = {"dagster/priority": "10", "dagster/max_runtime": "900"}
REPAIR_TAGS = {"dagster/priority": "-5"}

quarter_hour = dg.define_asset_job(
    "quarter_hour",
    selection=dg.AssetSelection.assets(*ASSETS),
    description="One 15-minute window, or a range of them, from the building to the schedule.",
)

nightly_reread = dg.define_asset_job(
    "nightly_reread",
    selection=dg.AssetSelection.assets(raw_bms_readings),
    description="Read the building's whole day again; windows into which something new came are announced as late.",
)

daily_rhythm = dg.define_asset_job(
    "daily_rhythm",
    selection=dg.AssetSelection.assets(point_rhythm),
    description="Learn from the last four weeks what silence and which values are normal for every point.",
)

late_readings = dg.define_asset_job(
    "late_readings",
    selection=dg.AssetSelection.assets(clean_series, point_states),
    description="Clean and judge again what late readings changed. Plans of the past stay as they were made.",
)
