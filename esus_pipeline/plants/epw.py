"""A year of an EPW file as weather that can be asked for any instant, whatever its year.

Belongs here: reading the file, the lag of its radiation against the sun, values between its hours. Does not belong
here: what a forecaster believes of it.

An EPW value stands at the end of its hour in standard time; radiation is meant as the mean of that hour, centred 30
minutes before the stamp. Files made from other sources are known to lie 60 or 90 minutes before it, so the lag is
fitted: the one with which the year's global radiation follows a clear sky best.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from pvlib.iotools import read_epw

from esus_pipeline.control.evaluation.protocol import PlantError
from esus_pipeline.simulator.noise import HOUR, MINUTE, Floats, Ints, smooth
from esus_pipeline.simulator.weather import clear_sky

_STEP = 5
_LAGS = range(0, 121, _STEP)
"""Minutes before the stamp that the radiation may be centred at."""
_FAINT = 20.0
"""W/m2 of clear sky below which a clearness says nothing."""
_COLUMNS = {
    "temp_air": "temp_air",
    "wind_speed": "wind_speed",
    "wind_direction": "wind_direction",
    "relative_humidity": "relative_humidity",
    "total_sky_cover": "cloud_cover",
}


class EpwError(PlantError):
    """A file that is no EPW of a whole year."""


@dataclass(frozen=True)
class EpwWeather:
    """The weather of one file, with the interface of the twin's weather; `seed` varies gusts only."""

    seed: int
    path: Path

    @property
    def latitude(self) -> float:
        """Degrees north."""
        return _load(self.path).latitude

    @property
    def longitude(self) -> float:
        """Degrees east."""
        return _load(self.path).longitude

    @property
    def altitude(self) -> float:
        """Metres."""
        return _load(self.path).altitude

    @property
    def lag_minutes(self) -> int:
        """How long before its stamp the file's radiation is centred, as fitted."""
        return _load(self.path).lag

    def at(self, time_s: Ints) -> pd.DataFrame:
        """The weather at instants (seconds since 1970); columns and units as simulator.weather.Weather.at."""
        year = _load(self.path)
        hour = _hour_of_year(time_s)
        sky = clear_sky(year.latitude, year.longitude, year.altitude, time_s)
        cosine = np.maximum(np.cos(np.radians(sky.zenith)), 0)
        values = {name: year.at(name, hour) for name in _COLUMNS.values()}
        clearness, diffuse = (year.at(name, hour + year.lag / 60) for name in ("clearness", "diffuse"))
        ghi = clearness * (sky.dni * cosine + sky.dhi)
        dhi = np.where(cosine > 0.02, diffuse, 1.0) * ghi
        turbulence = 1.45 + 0.12 * np.abs(smooth(self.seed, "gust", time_s, 10 * MINUTE))
        return pd.DataFrame(
            {
                "ghi": ghi,
                "dni": np.where(cosine > 0.02, (ghi - dhi) / np.maximum(cosine, 0.02), 0.0).clip(0, 1100),
                "dhi": dhi,
                **values,
                "wind_gust": values["wind_speed"] * turbulence,
                "zenith": sky.zenith,
                "azimuth": sky.azimuth,
                "dni_extra": sky.dni_extra,
            }
        )


@dataclass(frozen=True)
class _Year:
    latitude: float
    longitude: float
    altitude: float
    lag: int
    hourly: dict[str, Floats]
    """8,760 values by name; entry k stands at k hours after the year's start, UTC; clearness and diffuse share at the
    centre of the radiation, `lag` minutes before it."""

    def at(self, name: str, hour: Floats) -> Floats:
        """Values between the hours, on a straight line; the year's end joins its start."""
        values = self.hourly[name]
        return np.interp(hour % len(values), np.arange(len(values) + 1), np.append(values, values[0]))


def _hour_of_year(time_s: Ints) -> Floats:
    """Hours since the start of the year, UTC; 29 February repeats the 28th."""
    times = pd.DatetimeIndex(np.asarray(time_s, dtype="datetime64[s]"))
    leap = times.is_leap_year & (times.day_of_year > 59)
    seconds = times.hour * 3600 + times.minute * 60 + times.second
    return np.asarray((times.day_of_year - 1 - leap) * 24 + seconds / 3600, dtype=float)


@lru_cache(maxsize=4)
def _load(path: Path) -> _Year:
    try:
        data, facts = read_epw(path, coerce_year=2001)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise EpwError(f"{path} cannot be read as an EPW file: {error}") from error
    if len(data) != 8760:
        raise EpwError(f"{path} has {len(data)} hours instead of the 8,760 of a year")
    zone = float(facts["TZ"])
    place = float(facts["latitude"]), float(facts["longitude"]), float(facts["altitude"])
    ends = np.arange(1, 8761) * HOUR + int(pd.Timestamp("2001-01-01").timestamp()) - int(zone * HOUR)
    lag, clear = _fit_lag(data["ghi"].to_numpy(dtype=float), ends, place)
    ghi, dhi = data["ghi"].to_numpy(dtype=float), data["dhi"].to_numpy(dtype=float)
    bright = clear > _FAINT
    clearness = _filled(np.where(bright, np.clip(ghi / np.maximum(clear, _FAINT), 0.02, 1.2), np.nan))
    diffuse = _filled(np.where(ghi > _FAINT, np.clip(dhi / np.maximum(ghi, _FAINT), 0.05, 1.0), np.nan))
    hourly = {ours: data[theirs].to_numpy(dtype=float) for theirs, ours in _COLUMNS.items()}
    hourly["cloud_cover"] = hourly["cloud_cover"] / 10
    hourly |= {"clearness": clearness, "diffuse": diffuse}
    turn = 1 - int(zone)
    return _Year(*place, lag, {name: np.roll(values, turn) for name, values in hourly.items()})


def _fit_lag(ghi: Floats, ends: Ints, place: tuple[float, float, float]) -> tuple[int, Floats]:
    """The lag in minutes, and the clear sky's mean (W/m2) over the hour around `ends` - lag.

    Clouds come and go without regard to the hour, so the year's radiation is proportional to a clear sky's but for
    noise that no shift explains; the shift that leaves least of it is the file's.
    """
    reach = (max(_LAGS) + HOUR // MINUTE) // _STEP
    per_hour = HOUR // MINUTE // _STEP
    times = ends[0] + MINUTE * (_STEP * np.arange(-reach, per_hour * (len(ends) - 1) + per_hour) + _STEP // 2)
    sky = clear_sky(*place, times)
    bright = sky.dni * np.maximum(np.cos(np.radians(sky.zenith)), 0) + sky.dhi
    total = np.concatenate([[0.0], np.cumsum(bright)])
    means = {}
    for lag in _LAGS:
        first = reach - lag // _STEP - per_hour // 2 + per_hour * np.arange(len(ends))
        means[lag] = (total[first + per_hour] - total[first]) / per_hour
    best = max(_LAGS, key=lambda lag: float(np.corrcoef(means[lag], ghi)[0, 1]))
    return best, means[best]


def _filled(values: Floats) -> Floats:
    """Gaps (the nights) on a straight line between their ends."""
    return np.asarray(pd.Series(values).interpolate(limit_direction="both"), dtype=float)
