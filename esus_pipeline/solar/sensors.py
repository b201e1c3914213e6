"""Correcting the next hours by the building's facade sensors: what they measure against what the model says there.

Belongs here: when a sensor may be believed, the factor and how it fades. Does not belong here: cleaning of readings
(see readings) and the model (see gains). The model is taken on the facade, where the sensor is: the facade's skyline
counts, a window's overhang does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.site.model import Facade, Site, SunSensor
from esus_pipeline.solar.obstruction import sky_share, sunlit_share
from esus_pipeline.solar.sky import on_plane, sky_of

FRESH = timedelta(minutes=30)
"""Only readings younger than this are believed; their mean is compared."""

NOWCAST_SPAN = timedelta(hours=3)
"""The factor fades in a straight line from the measured ratio now to 1 at the end of this: clouds of now say little
about later."""

FACTOR_LIMITS = (0.2, 2.0)
"""A ratio outside tells of a broken sensor or a wrong horizon rather than of clouds."""

LEAST_ELEVATION = 5.0
GREATEST_INCIDENCE = 75.0
LEAST_MODELLED = 50.0
"""The sun is clearly on the facade when it stands this high (degrees), meets it within this angle (degrees) and the
model has this much on it (W/m2); elsewhere a ratio says nothing."""

LUMEN_PER_WATT = 110.0
"""Luminous efficacy of daylight: about 105 for sun, 120 for an overcast sky (Littlefair 1985)."""

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

IRRADIANCE_PER_UNIT = {"W/m2": 1.0, "lux": 1 / LUMEN_PER_WATT, "klux": 1000 / LUMEN_PER_WATT}
"""W/m2 that one of a sensor's unit stands for."""


@dataclass(frozen=True)
class FacadeFactor:
    """What one facade's sensor says: `factor` is measured / modelled, clipped; None where `reason` says why not."""

    factor: float | None
    reason: str
    measured: float | None = None
    """W/m2."""
    modelled: float | None = None
    """W/m2."""

    def __str__(self) -> str:
        """For people: what was measured, or why the forecast stands uncorrected."""
        if self.factor is None:
            return f"not corrected: {self.reason}"
        return f"{self.reason} {self.measured:.0f} W/m2, modelled {self.modelled:.0f}, corrected by {self.factor:.2f}"


@dataclass(frozen=True)
class FacadeSun:
    """What one forecast issue puts on a facade, by interval start; all (N,)."""

    times: pd.DatetimeIndex
    poa: Array
    """W/m2; NaN where the issue does not say."""
    clear: Mask
    """Whether the sun is clearly on the facade."""


def facade_irradiance(site: Site, forecast: pd.DataFrame) -> dict[str, FacadeSun]:
    """What one forecast issue puts on every facade that has a sensor."""
    return {
        name: _on_facade(site, facade, forecast)
        for name, facade in site.facades.items()
        if facade.sun_sensor is not None
    }


def facade_factors(
    site: Site, readings: pd.DataFrame, modelled: Mapping[str, FacadeSun], as_of: datetime
) -> dict[str, FacadeFactor]:
    """The factor of every facade that has a sensor.

    `readings` are rows of frames.CLEAN_SERIES that reach back FRESH before `as_of` at least; `modelled` is the
    `facade_irradiance` of the issue known at `as_of`.
    """
    now = pd.Timestamp(as_of)
    fresh = readings[(readings["timestamp"] > now - FRESH) & (readings["timestamp"] <= now)]
    return {
        name: _factor(facade.sun_sensor, fresh, modelled[name], now)
        for name, facade in site.facades.items()
        if facade.sun_sensor is not None
    }


def _factor(sensor: SunSensor, fresh: pd.DataFrame, modelled: FacadeSun, as_of: pd.Timestamp) -> FacadeFactor:
    first = modelled.times.searchsorted((as_of - FRESH).floor(STEP))
    last = modelled.times.searchsorted(as_of, "right")
    poa = modelled.poa[first:last]
    if np.isnan(poa).all():
        return FacadeFactor(None, "no forecast for the time of the readings")
    sunny = modelled.clear[first:last] & (poa >= LEAST_MODELLED)
    if not sunny.any():
        return FacadeFactor(None, "the sun is not clearly on the facade")
    own = (fresh["quantity"] == sensor.quantity) & (fresh["quality"] == "good") & fresh["value"].notna()
    readings = fresh[own]
    if readings.empty:
        return FacadeFactor(None, f"no good reading in the last {FRESH.seconds // 60} minutes")
    units = [unit if unit in IRRADIANCE_PER_UNIT else sensor.unit for unit in readings["unit"]]
    measured = readings["value"].to_numpy() * np.array([IRRADIANCE_PER_UNIT[unit] for unit in units])
    place = modelled.times[first:last].get_indexer(pd.DatetimeIndex(readings["timestamp"]).floor(STEP))
    usable = (place >= 0) & sunny[place]
    if not usable.any():
        return FacadeFactor(None, "no good reading while the sun was clearly on the facade")
    have, want = float(measured[usable].mean()), float(poa[place[usable]].mean())
    return FacadeFactor(float(np.clip(have / want, *FACTOR_LIMITS)), "measured", have, want)


def _on_facade(site: Site, facade: Facade, forecast: pd.DataFrame) -> FacadeSun:
    sky = sky_of(site.place, forecast)
    plane = on_plane(sky, facade.tilt, facade.azimuth, facade.albedo)
    sunlit = sunlit_share(facade.horizon, None, facade.azimuth, sky.azimuth, 90 - sky.zenith)
    share = sky_share(facade.horizon, None, facade.azimuth, facade.tilt)
    clear = (sunlit > 0) & (90 - sky.zenith >= LEAST_ELEVATION) & (plane.incidence <= GREATEST_INCIDENCE)
    poa = plane.direct * sunlit + plane.sky * share + plane.ground
    return FacadeSun(pd.DatetimeIndex(forecast["valid_time"]), np.asarray(poa, dtype=float), np.asarray(clear))


def nowcast(site: Site, panes: pd.DataFrame, factors: Mapping[str, FacadeFactor], as_of: datetime) -> pd.DataFrame:
    """Rows of frames.SOLAR_GAIN_PANE issued at `as_of` for the next NOWCAST_SPAN; none where no sensor is believed.

    `panes` are the gains of the forecast issue known at `as_of`, uncorrected (from `pane_gains`, not from a nowcast).
    Panes of facades without a factor are carried over, so that every room is whole.
    """
    factor_of = {name: each.factor for name, each in factors.items() if each.factor is not None}
    if not factor_of:
        return panes.iloc[:0]
    now = pd.Timestamp(as_of)
    rows = panes[(panes["valid_time"] >= now) & (panes["valid_time"] < now + NOWCAST_SPAN)]
    facade_of = {(room.id, window.id): window.facade for room in site.rooms for window in room.windows}
    facades = [facade_of[key] for key in zip(rows["room"], rows["window"], strict=True)]
    factor = np.array([factor_of.get(name, 1.0) for name in facades])
    weight = 1 - ((rows["valid_time"] + STEP / 2 - now) / NOWCAST_SPAN).to_numpy()
    corrected = rows[["poa_global", "gain_open", "gain_shaded"]].mul(1 + (factor - 1) * weight, axis=0)
    return rows.assign(issued_at=now, **corrected)
