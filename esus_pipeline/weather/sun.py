"""The sun over a place, at the middle of 15-minute intervals, and what follows for irradiance.

Belongs here: the few calls into pvlib that reading a forecast needs. pvlib is imported where it is called, because
importing it costs more than a second. Does not belong here: anything about facades (see solar).
"""

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.site.model import Place


def sun_at_middle(place: Place, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Sun of the intervals that begin at `starts`, indexed by them.

    Columns: zenith (apparent, degrees), cos_zenith (0 below the horizon), extraterrestrial (normal, W/m2).
    """
    from pvlib import irradiance, solarposition

    middle = starts + STEP / 2
    position = solarposition.get_solarposition(middle, place.latitude, place.longitude, place.altitude)
    zenith = position["apparent_zenith"].to_numpy()
    return pd.DataFrame(
        {
            "zenith": zenith,
            "cos_zenith": np.clip(np.cos(np.radians(zenith)), 0, None),
            "extraterrestrial": irradiance.get_extra_radiation(middle).to_numpy(),
        },
        index=starts,
    )


def clear_sky(sun: pd.DataFrame) -> pd.Series:
    """Global horizontal irradiance without clouds, W/m2 (Haurwitz, by pvlib)."""
    from pvlib import clearsky

    return clearsky.haurwitz(sun["zenith"])["ghi"]


def under_clouds(sun: pd.DataFrame, cloud_cover: pd.Series) -> pd.Series:
    """Global horizontal irradiance under `cloud_cover` percent of cloud, W/m2; missing where that is missing.

    Kasten and Czeplak, Solar Energy 24 (1980): ten years of Hamburg gave G = G_clear (1 - 0.75 N^3.4).
    """
    return clear_sky(sun) * (1 - 0.75 * (cloud_cover / 100) ** 3.4)


LOW_SUN_COS = 0.035
"""Cosine of the zenith below which (2 degrees over the horizon) all irradiance counts as diffuse: the sun may have
risen or set inside the interval, and dividing by so small a cosine means nothing."""


def with_components(rows: pd.DataFrame, sun: pd.DataFrame) -> pd.DataFrame:
    """The rows with `dni` and `dhi` where the source has none.

    One of the two follows from the other by ghi = dni cos(zenith) + dhi; without either, Maxwell's DISC model, which
    minds the air mass: a clear winter noon in the north has as low a clearness as a hazy one in the south.
    """
    from pvlib import irradiance

    ghi, cosine = rows["ghi"], sun["cos_zenith"]
    low = cosine < LOW_SUN_COS
    disc = irradiance.disc(ghi.to_numpy(), sun["zenith"].to_numpy(), pd.DatetimeIndex(sun.index))["dni"]
    beam = ((ghi - rows["dhi"]).clip(lower=0) / cosine).fillna(pd.Series(disc, index=rows.index)).where(~low, 0.0)
    dni = rows["dni"].fillna(beam.where(ghi.notna()))
    dhi = rows["dhi"].where(~low | rows["dni"].notna()).fillna((ghi - dni * cosine).clip(lower=0))
    return rows.assign(dni=dni, dhi=dhi)
