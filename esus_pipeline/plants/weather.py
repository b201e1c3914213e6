"""Weather for a plant on the 15-minute grid: what it is, and what a forecast that errs says of it.

Belongs here: means over the steps, and forecasts in the form of frames.WEATHER_FORECAST as they become known. Does not
belong here: how the weather comes about (simulator.weather, epw) and how forecasts err (simulator.forecast).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP, WEATHER_FORECAST
from esus_pipeline.plants.epw import EpwWeather
from esus_pipeline.simulator.forecast import KNOWN_AFTER_S, RUN_S, Forecaster, latest_run
from esus_pipeline.simulator.noise import DAY, MINUTE
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.site.model import Place

STEP_S = int(STEP.total_seconds())
HORIZON_S = 48 * 60 * MINUTE
"""A forecast reaches this far from now."""
PAST_S = 8 * 60 * MINUTE
"""And begins this long before now."""
_SAMPLES = 3
_NUMBERS = ("ghi", "dni", "dhi", "temp_air", "wind_speed", "wind_gust", "cloud_cover")


@dataclass(frozen=True)
class Sky:
    """The weather over one plant and one source of forecasts for it."""

    weather: Weather | EpwWeather

    @classmethod
    def over(cls, place: Place, seed: int, epw: Path | None) -> "Sky":
        """The twin's weather for this seed, or that of an EPW file."""
        if epw is not None:
            return cls(EpwWeather(seed, epw))
        return cls(Weather(seed, place.latitude, place.longitude, place.altitude))

    def truth(self, start: datetime, steps: int) -> pd.DataFrame:
        """Means over `steps` of 15 minutes from `start` on, one issue of frames.WEATHER_FORECAST; gusts: the most."""
        first = round(start.timestamp())
        days = range(first // DAY, (first + steps * STEP_S - 1) // DAY + 1)
        table = pd.concat([_true_day(self.weather, day) for day in days])
        times = first + STEP_S * np.arange(steps)
        return _frame(table.loc[times], first, times, "truth")

    def forecast(self, now: datetime) -> pd.DataFrame:
        """The newest issue known at `now`, from PAST_S before it to HORIZON_S after it: frames.WEATHER_FORECAST."""
        return _forecast(self.weather, latest_run(now.timestamp()))


@lru_cache(maxsize=256)
def _forecast(weather: Weather, run_s: int) -> pd.DataFrame:
    known_s = run_s + KNOWN_AFTER_S
    ends = known_s + STEP_S * np.arange(-PAST_S // STEP_S, (RUN_S + HORIZON_S) // STEP_S + 1, dtype=np.int64)
    said = Forecaster(weather, "open-meteo").quarter_hours(ends, np.full(len(ends), run_s))
    over = said.iloc[1:].reset_index(drop=True)
    points = ["temp_air", "wind_speed", "cloud_cover"]
    over[points] = (said[points].to_numpy()[1:] + said[points].to_numpy()[:-1]) / 2
    return _frame(over, known_s, ends[:-1], "forecast")


@lru_cache(maxsize=64)
def _true_day(weather: Weather, day: int) -> pd.DataFrame:
    steps = DAY // STEP_S
    grid = STEP_S // _SAMPLES
    times = day * DAY + grid // 2 + grid * np.arange(steps * _SAMPLES, dtype=np.int64)
    sampled = weather.at(times)
    table = {name: sampled[name].to_numpy().reshape(steps, _SAMPLES).mean(axis=1) for name in _NUMBERS}
    table["wind_gust"] = sampled["wind_gust"].to_numpy().reshape(steps, _SAMPLES).max(axis=1)
    table["cloud_cover"] = 100 * table["cloud_cover"]
    return pd.DataFrame(table, index=day * DAY + STEP_S * np.arange(steps))


def _frame(values: pd.DataFrame, issued_s: int, times: np.ndarray, kind: str) -> pd.DataFrame:
    return WEATHER_FORECAST.conform(
        pd.DataFrame(
            {
                "issued_at": datetime.fromtimestamp(issued_s, UTC),
                "valid_time": pd.DatetimeIndex(times.astype("datetime64[s]"), tz="UTC"),
                "interval_minutes": STEP_S // MINUTE,
                **{name: values[name].to_numpy() for name in _NUMBERS},
                "source": "plant",
                "kind": kind,
            }
        )
    )
