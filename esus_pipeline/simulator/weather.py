"""The twin's true weather: any instant can be asked, in any order, and two processes agree.

Belongs here: what the weather is. Does not belong here: what a forecaster believes (see forecast) and what a sensor
of the building says (see signals). A Danish climate: seasons, weather systems of days, fronts of hours, broken cloud
of minutes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pvlib import atmosphere, clearsky, irradiance, solarposition
from scipy.special import expit, ndtr

from esus_pipeline.simulator.noise import DAY, HOUR, MINUTE, Floats, Ints, normal, smooth, uniform

_FRONT_SLOT_S = 30 * HOUR
_YEAR_S = 365.2425 * DAY
_SUN_STEP_S = 5 * MINUTE


def season(time_s: Floats | Ints) -> Floats:
    """-1 in the coldest days of late January, +1 in the warmest of late July."""
    return np.asarray(-np.cos(2 * np.pi * (time_s - 25 * DAY) / _YEAR_S))


@dataclass(frozen=True)
class Sky:
    """Sun and clear sky at some instants: angles in degrees, irradiance in W/m2."""

    zenith: Floats
    azimuth: Floats
    dni: Floats
    dhi: Floats
    dni_extra: Floats


def clear_sky(latitude: float, longitude: float, altitude: float, time_s: Ints) -> Sky:
    """Position of the sun (refraction included) and the Ineichen-Perez clear sky for a Danish turbidity."""
    zenith, azimuth = _sun(latitude, longitude, altitude, time_s)
    airmass = atmosphere.get_absolute_airmass(atmosphere.get_relative_airmass(zenith), atmosphere.alt2pres(altitude))
    day_of_year = pd.DatetimeIndex(np.asarray(time_s, dtype="datetime64[s]")).day_of_year.to_numpy()
    extra = np.asarray(irradiance.get_extra_radiation(day_of_year))
    turbidity = 3.0 + 0.5 * season(time_s)
    with np.errstate(divide="ignore", invalid="ignore"):  # below the horizon there is no air mass
        clear = clearsky.ineichen(zenith, airmass, turbidity, altitude=altitude, dni_extra=extra)
    return Sky(zenith, azimuth, np.nan_to_num(clear["dni"]), np.nan_to_num(clear["dhi"]), extra)


def _sun(latitude: float, longitude: float, altitude: float, time_s: Ints) -> tuple[Floats, Floats]:
    """Apparent zenith and azimuth, exact on a grid of 5 minutes and straight lines between."""
    knots = np.unique(np.concatenate([time_s // _SUN_STEP_S, time_s // _SUN_STEP_S + 1])) * _SUN_STEP_S
    index = pd.DatetimeIndex(knots.astype("datetime64[s]"), tz="UTC")
    sun = solarposition.get_solarposition(index, latitude, longitude, altitude)
    azimuth = np.unwrap(sun["azimuth"].to_numpy(), period=360)
    return np.interp(time_s, knots, sun["apparent_zenith"]), np.interp(time_s, knots, azimuth) % 360


@dataclass(frozen=True)
class Weather:
    """The weather at one place for one seed."""

    seed: int
    latitude: float
    longitude: float
    altitude: float

    def at(self, time_s: Ints) -> pd.DataFrame:
        """The weather at instants (seconds since 1970), one row each.

        Columns: ghi, dni, dhi (W/m2), temp_air (degC), cloud_cover (0..1), wind_speed, wind_gust (m/s),
        wind_direction (degrees), relative_humidity (percent), zenith, azimuth (degrees), dni_extra (W/m2).
        """
        front = self._fronts(time_s)
        cover = self._cloud_cover(time_s, front)
        sky = clear_sky(self.latitude, self.longitude, self.altitude, time_s)
        dni, dhi = self._through_clouds(time_s, cover, sky)
        wind = self._wind(time_s, front)
        temperature = self._temperature(time_s, front, cover)
        humidity = 78 - 8 * season(time_s) + 14 * (cover - 0.6) + 6 * smooth(self.seed, "humidity", time_s, 9 * HOUR)
        return pd.DataFrame(
            {
                "ghi": dni * np.maximum(np.cos(np.radians(sky.zenith)), 0) + dhi,
                "dni": dni,
                "dhi": dhi,
                "temp_air": temperature,
                "cloud_cover": cover,
                "wind_speed": wind,
                "wind_gust": wind * (1.45 + 0.12 * np.abs(smooth(self.seed, "gust", time_s, 10 * MINUTE))),
                "wind_direction": (240 + 70 * smooth(self.seed, "direction", time_s, 20 * HOUR)) % 360,
                "relative_humidity": np.clip(humidity, 25, 100),
                "zenith": sky.zenith,
                "azimuth": sky.azimuth,
                "dni_extra": sky.dni_extra,
            }
        )

    def slow_temperature(self, time_s: Ints) -> Floats:
        """Air temperature without the course of the day and without fronts, degC."""
        return (
            8.6
            + 8.0 * season(time_s)
            + 2.4 * smooth(self.seed, "temperature/4d", time_s, 4 * DAY)
            + 1.4 * smooth(self.seed, "temperature/1d", time_s, 30 * HOUR)
        )

    def _fronts(self, time_s: Ints) -> Floats:
        """Strength of the front that passes, 0..1, and how much of its cold air is left; shape (2, n)."""
        strength, cold = np.zeros(len(time_s)), np.zeros(len(time_s))
        slot = time_s // _FRONT_SLOT_S
        for back in range(-1, 3):
            index = slot - back
            start = (index + 0.8 * uniform(self.seed, "front/time", index)) * _FRONT_SLOT_S
            size = np.maximum(0, uniform(self.seed, "front/size", index) - 0.45) / 0.55
            age = (time_s - start) / HOUR
            strength += size * np.exp(-((age / 2.5) ** 2))
            cold += size * expit(age / 0.4) * np.exp(-np.maximum(age, 0) / 14)
        return np.stack([strength, cold])

    def _cloud_cover(self, time_s: Ints, front: Floats) -> Floats:
        tendency = (
            0.32
            - 0.35 * season(time_s)
            + 1.1 * smooth(self.seed, "cloud/36h", time_s, 36 * HOUR)
            + 0.8 * smooth(self.seed, "cloud/8h", time_s, 8 * HOUR)
            + 0.4 * smooth(self.seed, "cloud/90min", time_s, 90 * MINUTE)
            + 3.0 * front[0]
            - 0.5 * front[1]
        )
        return np.asarray(expit(1.7 * tendency))

    def _through_clouds(self, time_s: Ints, cover: Floats, sky: Sky) -> tuple[Floats, Floats]:
        """Beam and diffuse irradiance under broken cloud: the beam comes and goes within minutes."""
        broken = (
            0.75 * smooth(self.seed, "broken/17min", time_s, 17 * MINUTE)
            + 0.55 * smooth(self.seed, "broken/5min", time_s, 5 * MINUTE)
            + 0.37 * smooth(self.seed, "broken/100s", time_s, 100)
        )
        beam_share = expit((ndtr(broken) - cover**1.2) / 0.04) * (1 - 0.55 * cover**3)
        thickness = np.clip(0.30 + 0.10 * smooth(self.seed, "thickness", time_s, 5 * HOUR), 0.08, 0.6)
        clear_ghi = sky.dni * np.maximum(np.cos(np.radians(sky.zenith)), 0) + sky.dhi
        haze = np.clip(1 + 0.08 * smooth(self.seed, "haze", time_s, 2 * DAY), 0.7, 1.4)
        edge = 0.25 * cover * (1 - cover) * clear_ghi * beam_share
        diffuse = sky.dhi * (1 - cover) * haze + cover * thickness * clear_ghi + edge
        return sky.dni * beam_share * np.clip(1.75 - 0.75 * haze, 0.7, 1.05), diffuse

    def _wind(self, time_s: Ints, front: Floats) -> Floats:
        afternoon = np.cos(2 * np.pi * ((time_s % DAY) / DAY - 13.5 / 24))
        level = (
            1.48
            - 0.14 * season(time_s)
            + 0.38 * smooth(self.seed, "wind/24h", time_s, 24 * HOUR)
            + 0.20 * smooth(self.seed, "wind/4h", time_s, 4 * HOUR)
            + 0.10 * afternoon
            + 0.55 * front[0]
        )
        turbulence = 1 + 0.13 * smooth(self.seed, "turbulence", time_s, 90)
        return np.asarray(np.exp(level) * np.clip(turbulence, 0.4, 1.8))

    def _temperature(self, time_s: Ints, front: Floats, cover: Floats) -> Floats:
        swing = (0.7 + 1.9 * (1 + season(time_s))) * (1.25 - 0.8 * _day_mean(self.seed, time_s))
        course = np.cos(2 * np.pi * ((time_s % DAY) / DAY - 14.0 / 24))
        return (
            self.slow_temperature(time_s)
            + swing * course
            - 3.2 * front[1]
            + 0.4 * (cover - 0.6) * (1 - season(time_s))
            + 0.35 * smooth(self.seed, "temperature/2h", time_s, 2 * HOUR)
            + 0.05 * normal(self.seed, "temperature/minute", time_s // MINUTE)
        )


def _day_mean(seed: int, time_s: Ints) -> Floats:
    """A cloud cover that changes over days only, for the size of the day's swing."""
    return np.asarray(expit(0.8 + 1.9 * smooth(seed, "cloud/36h", time_s, 36 * HOUR)))
