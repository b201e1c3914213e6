"""Stored tables of some days of one room, whose true model is known; the other rooms are silent."""

from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.model import RoomModel
from esus_pipeline.frames import SOLAR_GAIN, WEATHER_FORECAST
from esus_pipeline.readings import room_frame
from esus_pipeline.site import load_site
from esus_pipeline_tests.control.lived import START, lived

SITE = load_site("tmv23")
ROOM = "1.213"
DAYS = 12
NIGHT = START + timedelta(days=DAYS)


def store(folder: Archive) -> None:
    """Twelve days of one room that is heavier and less glazed than the site says; five rooms are silent."""
    prior = RoomModel.from_site(SITE, ROOM)
    history = lived(prior.with_parameters({"c_mass": prior.c_mass * 1.5, "k_open": 0.6}), days=DAYS)
    times = history.times
    columns = dict.fromkeys(room_frame(SITE).schema.names, np.nan)
    rooms = pd.DataFrame({**columns, "timestamp": times, "room": ROOM}).assign(
        air_temperature=history.air,
        radiator_valve=100 * history.valve,
        damper_position=100 * history.damper,
        occupancy=(history.people > 0).astype(float),
        window_open=0.0,
    )
    building = pd.DataFrame({**columns, "timestamp": times, "room": "building"}).assign(
        heating_supply_temperature=history.water, blind_motor_south=history.shade
    )
    folder.merge(room_frame(SITE), pd.concat([rooms, building], ignore_index=True))
    issued = times.normalize()
    weather = pd.DataFrame({**dict.fromkeys(WEATHER_FORECAST.schema.names, np.nan), "valid_time": times}).assign(
        issued_at=issued, interval_minutes=15, source="open-meteo", kind="hindcast", temp_air=history.outdoor
    )
    folder.merge(WEATHER_FORECAST, weather)
    gains = pd.DataFrame({"issued_at": issued, "room": ROOM, "valid_time": times, "poa_global": np.nan}).assign(
        gain_open=history.gain_open, gain_shaded=history.gain_shaded
    )
    folder.merge(SOLAR_GAIN, gains)
