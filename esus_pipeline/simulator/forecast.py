"""What a forecaster believes of the twin's weather: issued every 3 hours, known 2 hours later, worse with the horizon.

Belongs here: the forecaster's errors and his way of averaging. Does not belong here: any wire format.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from esus_pipeline.simulator.noise import DAY, HOUR, MINUTE, Floats, Ints, normal, smooth
from esus_pipeline.simulator.weather import Weather, clear_sky

RUN_S = 3 * HOUR
KNOWN_AFTER_S = 2 * HOUR
QUARTER_S = 15 * MINUTE
_SAMPLES = 5
_MARGIN = 3
_BEAM_FROM = 0.3
"""Clearness below which there is no beam."""


def latest_run(now_s: float) -> int:
    """Start of the newest run that is known at `now` (seconds since 1970)."""
    return int((now_s - KNOWN_AFTER_S) // RUN_S) * RUN_S


@dataclass(frozen=True)
class Forecaster:
    """One source of forecasts; `name` sets its errors apart from another's."""

    weather: Weather
    name: str

    def quarter_hours(self, valid_s: Ints, run_s: Ints) -> pd.DataFrame:
        """Forecast of the run that started at `run_s` for each `valid_s` (multiples of 15 min), one row each.

        Radiation (W/m2) is the mean and wind_gust the maximum of the 15 minutes before `valid_s`; the rest holds at
        `valid_s`. Before its own start a run is taken as the analysis.
        """
        truth = _truth(self.weather, valid_s)
        lead = np.maximum(valid_s - run_s, 0) / HOUR
        cloudier = self._error("cloud", valid_s, run_s, 7 * HOUR)
        windier = self._error("wind", valid_s, run_s, 9 * HOUR) * _spread(lead, 0.07, 0.24, 36)
        cover = np.clip(truth["cloud_cover"].to_numpy(), 0.005, 0.995)
        odds = np.log(cover / (1 - cover)) + cloudier * _spread(lead, 0.2, 1.7, 30)
        ghi, dni, dhi = self._radiation(truth, cloudier * _spread(lead, 0.03, 0.27, 24))
        warmer = self._error("temperature", valid_s, run_s, 10 * HOUR) * _spread(lead, 0.35, 1.8, 45)
        return pd.DataFrame(
            {
                "ghi": ghi,
                "dni": dni,
                "dhi": dhi,
                "temp_air": truth["temp_air"] + warmer,
                "cloud_cover": 100 / (1 + np.exp(-odds)),
                "wind_speed": truth["wind_speed"] * np.exp(windier),
                "wind_gust": truth["wind_gust"] * np.exp(1.15 * windier),
                "wind_direction": truth["wind_direction"],
                "relative_humidity": np.clip(truth["relative_humidity"] - 3 * warmer, 20, 100),
                "is_day": (truth["zenith"] < 90).astype(float),
            }
        )

    def _error(self, what: str, valid_s: Ints, run_s: Ints, period_s: float) -> Floats:
        """Error of size 1: partly shared by all runs for an instant, partly of the run's own."""
        name = f"{self.name}/{what}"
        position = valid_s / period_s
        knot = np.floor(position).astype(np.int64)
        angle = (position - knot) * (np.pi / 2)
        index = run_s // RUN_S * 100_000
        own = normal(self.weather.seed, name, index + knot % 100_000) * np.cos(angle)
        own += normal(self.weather.seed, name, index + (knot + 1) % 100_000) * np.sin(angle)
        return 0.75 * smooth(self.weather.seed, name + "/shared", valid_s, period_s) + 0.66 * own

    @staticmethod
    def _radiation(truth: pd.DataFrame, cloudier: Floats) -> tuple[Floats, Floats, Floats]:
        """Clearness against a clear sky with an error; the beam dies away faster than the light of the whole sky."""
        clearness = np.clip(truth["clearness"].to_numpy() - cloudier, 0.06, 1.03)
        ghi = clearness * truth["ghi_clear"].to_numpy()
        cosine = np.cos(np.radians(truth["zenith"].to_numpy()))
        beam = np.clip((clearness - _BEAM_FROM) / (1 - _BEAM_FROM), 0, 1)
        dni = np.where(cosine > 0.02, beam * truth["dni_clear"].to_numpy(), 0)
        return ghi, dni, np.maximum(ghi - dni * cosine, 0)


def _spread(lead_h: Floats, start: float, growth: float, hours: float) -> Floats:
    """Standard deviation of an error that grows with the horizon and saturates after some `hours`."""
    return start + growth * (1 - np.exp(-lead_h / hours))


def _truth(weather: Weather, valid_s: Ints) -> pd.DataFrame:
    days = np.unique((valid_s - 1) // DAY)
    return pd.concat([_truth_of_day(weather, int(day)) for day in days]).loc[valid_s]


@lru_cache(maxsize=512)
def _truth_of_day(weather: Weather, day: int) -> pd.DataFrame:
    """The true weather of the quarter-hours that end in (00:00, 24:00] of a day, by their end in seconds."""
    quarters = DAY // QUARTER_S
    step = QUARTER_S // _SAMPLES
    count = (quarters + 2 * _MARGIN) * _SAMPLES
    time_s = day * DAY - _MARGIN * QUARTER_S + step // 2 + step * np.arange(count, dtype=np.int64)
    sampled = weather.at(time_s)
    clear = clear_sky(weather.latitude, weather.longitude, weather.altitude, time_s)
    bright = clear.dni * np.maximum(np.cos(np.radians(clear.zenith)), 0) + clear.dhi
    sampled = sampled.assign(ghi_clear=bright, dni_clear=clear.dni)
    table = {name: sampled[name].to_numpy().reshape(-1, _SAMPLES) for name in sampled.columns}
    here = slice(_MARGIN, _MARGIN + quarters)
    result = {}
    for name in ("ghi_clear", "dni_clear", "zenith"):
        result[name] = table[name].mean(axis=1)[here]
    result["wind_gust"] = table["wind_gust"].max(axis=1)[here]
    for name in ("temp_air", "cloud_cover", "wind_speed", "wind_direction", "relative_humidity"):
        around = np.concatenate([table[name][:-1, 2:], table[name][1:, :3]], axis=1).mean(axis=1)
        result[name] = around[here]
    hourly = [pd.Series(table[name].mean(axis=1)).rolling(4, center=True).mean() for name in ("ghi", "ghi_clear")]
    ratio = np.where(hourly[1] > 2, hourly[0] / np.maximum(hourly[1], 2), 0.5)
    result["clearness"] = ratio[here]
    return pd.DataFrame(result, index=day * DAY + QUARTER_S * np.arange(1, quarters + 1))
