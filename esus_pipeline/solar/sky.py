"""The sky over the building: the sun at the middle of each interval, and irradiance on a tilted plane by component.

Belongs here: sun position and transposition. Does not belong here: what stands in the way (see obstruction) and glass
(see glazing). pvlib is imported where it is called, because importing it costs more than a second.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from esus_pipeline.frames import STEP
from esus_pipeline.site.model import Place

LOW_SUN_COS = 0.0872
"""Cosine of the zenith (5 degrees over the horizon) below which the circumsolar light on a steep plane grows no more;
the limit that the Perez model uses."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sky:
    """Sun and irradiance of some intervals, arrays of one length: angles in degrees, irradiance in W/m2."""

    zenith: Floats
    """Apparent, refraction included."""
    azimuth: Floats
    """Clockwise from north."""
    extraterrestrial: Floats
    ghi: Floats
    dni: Floats
    dhi: Floats


@dataclass(frozen=True)
class Plane:
    """Irradiance on a plane with a free horizon, W/m2, by where it comes from."""

    incidence: Floats
    """Angle between sun and the plane's normal, degrees."""
    direct: Floats
    """From the sun and the bright ring around it (circumsolar)."""
    sky: Floats
    """From the rest of the sky, taken as equally bright."""
    ground: Floats


def sky_of(place: Place, forecast: pd.DataFrame) -> Sky:
    """Sky of rows of frames.WEATHER_FORECAST (any issues), one entry per row."""
    from pvlib import irradiance, solarposition

    row, starts = pd.factorize(forecast["valid_time"])
    middle = pd.DatetimeIndex(starts) + STEP / 2
    sun = solarposition.get_solarposition(middle, place.latitude, place.longitude, place.altitude)
    return Sky(
        zenith=sun["apparent_zenith"].to_numpy()[row],
        azimuth=sun["azimuth"].to_numpy()[row],
        extraterrestrial=irradiance.get_extra_radiation(middle).to_numpy()[row],
        **{name: forecast[name].to_numpy(float) for name in ("ghi", "dni", "dhi")},
    )


def on_plane(sky: Sky, tilt: float, azimuth: float, albedo: float) -> Plane:
    """Irradiance on a plane of that tilt and azimuth (degrees) by Hay and Davies (pvlib).

    Their model splits diffuse light into a circumsolar part, which an obstruction takes away together with the beam,
    and an even sky; it needs no tuned coefficients, and it errs little against Perez on vertical planes.
    """
    from pvlib import irradiance

    projection = irradiance.aoi_projection(tilt, azimuth, sky.zenith, sky.azimuth)
    facing = np.clip(projection, 0, None)
    dni = np.where(sky.zenith < 90, sky.dni, 0.0)
    ratio = facing / np.clip(np.cos(np.radians(sky.zenith)), LOW_SUN_COS, None)
    diffuse = irradiance.haydavies(
        tilt, azimuth, sky.dhi, dni, sky.extraterrestrial, projection_ratio=ratio, return_components=True
    )
    return Plane(
        incidence=np.degrees(np.arccos(projection)),
        direct=dni * facing + diffuse["poa_circumsolar"],
        sky=np.asarray(diffuse["poa_isotropic"]),
        ground=np.asarray(irradiance.get_ground_diffuse(tilt, sky.ghi, albedo)),
    )
