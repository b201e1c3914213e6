"""Where the sun is computed: irradiance on each facade and pane, and the heat that comes through.

`pane_gains` and `room_gains` follow from one forecast issue; `facade_factors` and `nowcast` correct the next hours by
the facade sensors; `latest_known` picks what was known at an instant, and `Estimates` does so for many instants.
"""

from esus_pipeline.solar.gains import pane_gains, room_gains
from esus_pipeline.solar.known import Estimates, latest_known, stored_gains, with_nowcast
from esus_pipeline.solar.sensors import (
    IRRADIANCE_PER_UNIT,
    NOWCAST_SPAN,
    FacadeFactor,
    FacadeSun,
    facade_factors,
    facade_irradiance,
    nowcast,
)

__all__ = [
    "IRRADIANCE_PER_UNIT",
    "NOWCAST_SPAN",
    "Estimates",
    "FacadeFactor",
    "FacadeSun",
    "facade_factors",
    "facade_irradiance",
    "latest_known",
    "nowcast",
    "pane_gains",
    "room_gains",
    "stored_gains",
    "with_nowcast",
]
