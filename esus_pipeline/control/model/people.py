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
    none = pd.Series(np.nan, own.index)
    counted = own["occupants"].astype(float) if "occupants" in own else none
    presence = own["occupancy"].astype(float) if "occupancy" in own else none
    balance = _from_co2(room, own) if "co2" in own else none
    balance = balance.where(~(presence <= 0), 0.0)
    usual = presence * USUAL_SHARE * room.occupants
    return np.asarray(counted.fillna(balance).fillna(usual).to_numpy(float))


def _from_co2(room: Room, own: pd.DataFrame) -> "pd.Series[float]":
    """Persons from V dC/dt + F (C - C_out) = n PERSON_CO2, with C in ppm, V in m3 and F in m3/h.

    C_out is the least that the sensor reads in the history (its second percentile), which takes its bias out.
    """
    co2 = own["co2"].astype(float)
    if co2.notna().sum() < 2:
        return pd.Series(np.nan, own.index)
    level = float(co2.quantile(0.02)) if co2.notna().sum() >= 96 else OUTDOOR_CO2
    smooth = co2.rolling(3, center=True, min_periods=1).mean()
    slope = smooth.diff().shift(-1).add(smooth.diff()) / 2 / (STEP.total_seconds() / 3600)
    volume = room.area * room.height
    damper = own["damper_position"].astype(float).fillna(0.0) / 100 if "damper_position" in own else 0.0
    flow = room.ventilation_flow * damper + LEAST_FLOW * volume
    litres = (volume * slope.fillna(0.0) + flow * (smooth - level)) * 1e-3
    return (litres / PERSON_CO2).clip(0.0, CROWD * max(room.occupants, 1.0))
