"""What the weather will be: forecast sources, their cache, and which issue was known when.

`obtain` fetches, judges and cuts forecasts into issues; `known_at` picks the issue that a plan may use.
"""

from esus_pipeline.weather import wire
from esus_pipeline.weather.http import HttpCache
from esus_pipeline.weather.known import (
    HINDCAST_SPAN,
    LOOK_BACK,
    MAX_AGE,
    Issues,
    is_current,
    known_at,
    newest_by_time,
    steering_age,
    stored_forecasts,
)
from esus_pipeline.weather.met_norway import MetNorway
from esus_pipeline.weather.obtain import Obtained, obtain
from esus_pipeline.weather.open_meteo import OpenMeteo
from esus_pipeline.weather.source import Forecast, ForecastError, PastSource, RejectedForecastError, Source

__all__ = [
    "HINDCAST_SPAN",
    "LOOK_BACK",
    "MAX_AGE",
    "Forecast",
    "ForecastError",
    "HttpCache",
    "Issues",
    "MetNorway",
    "Obtained",
    "OpenMeteo",
    "PastSource",
    "RejectedForecastError",
    "Source",
    "is_current",
    "known_at",
    "newest_by_time",
    "obtain",
    "steering_age",
    "stored_forecasts",
    "wire",
]
