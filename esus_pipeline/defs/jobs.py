"""The jobs: the quarter-hour chain, and the repair of what late readings changed."""

import dagster as dg

from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.prices import electricity_price
from esus_pipeline.defs.quality import point_states
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

REPAIR_TAG = "esus/repair"
"""Tag of runs that heal the past; the instance lets one of them run at a time, so that the live poll never waits."""

LIVE_TAGS = {"dagster/priority": "10", "dagster/max_runtime": "900"}
REPAIR_TAGS = {"dagster/priority": "-5"}

quarter_hour = dg.define_asset_job(
    "quarter_hour",
    selection=dg.AssetSelection.assets(*ASSETS),
    description="One 15-minute window, or a range of them, from the building to the schedule.",
)

late_readings = dg.define_asset_job(
    "late_readings",
    selection=dg.AssetSelection.assets(clean_series, point_states),
    description="Clean and judge again what late readings changed. Plans of the past stay as they were made.",
)
