"""How many people were in a room, from what its sensors say of them.

A count is taken as it is. Without one, CO2 tells by its mass balance and the presence sensor says when nobody is
there. Where only presence is known, the room is taken as used by its usual share of people.
"""

import numpy as np
import pandas as pd

from esus_pipeline.control.model.room_model import Array
from esus_pipeline.frames import STEP
from esus_pipeline.site import Room

SENSORS = ("occupants", "occupancy", "co2", "damper_position")
"""Quantities of a room that tell of people."""
PERSON_CO2 = 20.0
"""l/h of CO2 that a person at a desk breathes out (EN 16798-1, annex)."""
OUTDOOR_CO2 = 421.0
"""ppm, where a room's own readings do not say it."""
USUAL_SHARE = 0.6
"""Share of a room's people who are there while presence is seen."""
LEAST_FLOW = 0.15
"""Air changes per hour of a room without supply air."""
CROWD = 1.5
"""CO2 alone never counts more people than this times the room's full use."""


def people_present(room: Room, own: pd.DataFrame) -> Array:
    """Persons present in each 15-minute row of one room's part of the room table, NaN where no sensor tells."""
    counted, presence, co2, damper = (_column(own, name) for name in SENSORS)
    balance = np.where(presence <= 0, 0.0, _from_co2(room, co2, damper))
    usual = presence * USUAL_SHARE * room.occupants
    return np.where(np.isnan(counted), np.where(np.isnan(balance), usual, balance), counted)


def _from_co2(room: Room, co2: Array, damper: Array) -> Array:
    """Persons from V dC/dt + F (C - C_out) = n PERSON_CO2, with C in ppm, V in m3 and F in m3/h.

    C_out is the least that the sensor reads in the history (its second percentile), which takes its bias out.
    """
    known = ~np.isnan(co2)
    if known.sum() < 2:
        return np.full(len(co2), np.nan)
    level = float(np.quantile(co2[known], 0.02)) if known.sum() >= 96 else OUTDOOR_CO2
    smooth = pd.Series(co2).rolling(3, center=True, min_periods=1).mean().to_numpy()
    slope = np.zeros(len(co2))
    slope[1:-1] = (smooth[2:] - smooth[:-2]) / 2 / (STEP.total_seconds() / 3600)
    volume = room.area * room.height
    flow = room.ventilation_flow * np.nan_to_num(damper) / 100 + LEAST_FLOW * volume
    litres = (volume * np.nan_to_num(slope) + flow * (smooth - level)) * 1e-3
    return np.clip(litres / PERSON_CO2, 0.0, CROWD * max(room.occupants, 1.0))


def _column(own: pd.DataFrame, name: str) -> Array:
    return own[name].to_numpy(float) if name in own.columns else np.full(len(own), np.nan)
