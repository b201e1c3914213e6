"""Heat that the sun brings through each pane and into each room, with the shades up and with the shades down.

Belongs here: combining sky, obstruction, glass and shade. A pure function of the site and one forecast issue. Does not
belong here: correction by measurements (see sensors).

A shade's g_tot is the transmittance of glazing and lowered shade together (EN ISO 52022-1), so it stands in the place
of the glazing's g-value; its dependence on the angle is taken as the glazing's.
"""

import numpy as np
import pandas as pd

from esus_pipeline.frames import SOLAR_GAIN, SOLAR_GAIN_PANE
from esus_pipeline.site.model import Facade, Site, Window
from esus_pipeline.solar.glazing import DIFFUSE_SHARE, angular_share
from esus_pipeline.solar.obstruction import sky_share, sunlit_share
from esus_pipeline.solar.sky import Floats, Sky, on_plane, sky_of


def pane_gains(site: Site, forecast: pd.DataFrame) -> pd.DataFrame:
    """Rows of frames.SOLAR_GAIN_PANE for rows of frames.WEATHER_FORECAST (of one issue or of several).

    The sun stands where it stands at the middle of each interval. Missing irradiance gives missing gains.
    """
    sky = sky_of(site.place, forecast)
    geometries: dict[object, tuple[Floats, Floats]] = {}
    panes = [SOLAR_GAIN_PANE.empty()]
    for room in site.rooms:
        for window in room.windows:
            geometry = (window.facade, window.azimuth, window.tilt, window.overhang)
            if geometry not in geometries:
                geometries[geometry] = _through_glass(sky, site.facades[window.facade], window)
            panes.append(_pane(site, room.id, window, forecast, *geometries[geometry]))
    return SOLAR_GAIN_PANE.conform(pd.concat(panes[1:] or panes, ignore_index=True))


def _through_glass(sky: Sky, facade: Facade, window: Window) -> tuple[Floats, Floats]:
    """Irradiance on the pane after obstruction, and that weighted by the glass's angular share; W/m2."""
    tilt = facade.tilt if window.tilt is None else window.tilt
    azimuth = facade.azimuth if window.azimuth is None else window.azimuth
    plane = on_plane(sky, tilt, azimuth, facade.albedo)
    sunlit = sunlit_share(facade.horizon, window.overhang, azimuth, sky.azimuth, 90 - sky.zenith)
    direct = plane.direct * sunlit
    diffuse = plane.sky * sky_share(facade.horizon, window.overhang, azimuth, tilt) + plane.ground
    return direct + diffuse, direct * angular_share(plane.incidence) + diffuse * DIFFUSE_SHARE


def _pane(
    site: Site, room: str, window: Window, forecast: pd.DataFrame, poa: Floats, transmitted: Floats
) -> pd.DataFrame:
    shaded = window.g_value if window.shade is None else min(site.shades[window.shade].g_tot, window.g_value)
    glass = window.area * (1 - window.frame_share)
    return pd.DataFrame(
        {
            "issued_at": forecast["issued_at"].array,
            "room": room,
            "window": window.id,
            "valid_time": forecast["valid_time"].array,
            "poa_global": poa,
            "gain_open": glass * window.g_value * transmitted,
            "gain_shaded": glass * shaded * transmitted,
        }
    )


def room_gains(site: Site, panes: pd.DataFrame) -> pd.DataFrame:
    """Rows of frames.SOLAR_GAIN from rows of frames.SOLAR_GAIN_PANE: gains added up, irradiance weighted by area.

    A room whose pane has a missing value has a missing value. A room without windows gains 0 W and has no irradiance.
    """
    areas = pd.DataFrame(
        [(room.id, window.id, window.area) for room in site.rooms for window in room.windows],
        columns=["room", "window", "area"],
    )
    weighted = panes.merge(areas, on=["room", "window"])
    weighted["poa_global"] *= weighted["area"]
    keys = ["issued_at", "room", "valid_time"]
    sums = weighted.groupby(keys, sort=False)[["poa_global", "gain_open", "gain_shaded", "area"]].sum(skipna=False)
    sums["poa_global"] /= sums.pop("area")
    dark = [room.id for room in site.rooms if not room.windows]
    instants = panes[["issued_at", "valid_time"]].drop_duplicates()
    windowless = instants.merge(pd.DataFrame({"room": dark, "poa_global": np.nan}), how="cross")
    rows = [sums.reset_index(), windowless.assign(gain_open=0.0, gain_shaded=0.0)]
    return SOLAR_GAIN.conform(pd.concat([part for part in rows if len(part)] or rows[:1], ignore_index=True))
