"""How much of the sun's heat glass lets through at an angle, as a share of what it lets through at normal incidence.

Belongs here: the angular shape. Does not belong here: the g-value itself and shades (see gains).
"""

import numpy as np

from esus_pipeline.solar.sky import Floats

PANES = 2
CATEGORY = 4.0
"""Coated double glazing in the terms of the formula; 1 falls off soonest with the angle, 10 latest."""


def angular_share(incidence: Floats) -> Floats:
    """g(incidence) / g(0) for incidence in degrees; 0 from 90 on.

    Karlsson and Roos, Modelling the angular behaviour of the total solar energy transmittance of windows, Solar Energy
    69 (2000) 321-329: 1 - a z^alpha - b z^beta - c z^gamma with z = incidence / 90.
    """
    z = np.clip(incidence / 90, 0, 1)
    a, b = 8.0, 0.25 / CATEGORY
    alpha, beta = 5.2 + 0.7 * CATEGORY, 2.0
    gamma = (5.26 + 0.06 * PANES) + (0.73 + 0.04 * PANES) * CATEGORY
    return np.clip(1 - a * z**alpha - b * z**beta - (1 - a - b) * z**gamma, 0, 1)


def _hemispherical_share() -> float:
    degrees = np.arange(0.25, 90, 0.5)
    weight = np.sin(2 * np.radians(degrees))
    return float((angular_share(degrees) * weight).sum() / weight.sum())


DIFFUSE_SHARE = _hemispherical_share()
"""The same share for evenly bright light from the whole half-space: the integral of g(t)/g(0) sin(2t) dt."""
