"""What happens to a plant's rooms whatever is done in them: sun, weather and people, step by step of 15 minutes.

Belongs here: series that no command changes. Does not belong here: anything that depends on a room's state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.plants.weather import STEP_S, Sky
from esus_pipeline.simulator.noise import MINUTE, Floats
from esus_pipeline.simulator.people import count_people, local_clock, motion
from esus_pipeline.site import Site
from esus_pipeline.solar import pane_gains, room_gains

FAN_HOURS = (6.0, 18.0)
"""Local hours of working days in which the ventilation runs."""


@dataclass(frozen=True)
class World:
    """N steps from `start` on; arrays are (R, N) or (N,), means over the step."""

    start: datetime
    weather: pd.DataFrame
    """One issue of frames.WEATHER_FORECAST, as it truly is."""
    irradiance: Floats
    """W/m2 on the rooms' facades."""
    gain_open: Floats
    gain_shaded: Floats
    """W through the windows, by the site's geometry."""
    people: Floats
    presence: Floats
    """Share of the step in which the motion sensor saw somebody."""
    fan: Floats
    """(N,) 0 or 1."""
    working: np.ndarray
    """(N,) whether the site's calendar expects people."""

    def series(self, name: str) -> Floats:
        """(N,) a column of the weather."""
        return self.weather[name].to_numpy(dtype=float)

    @property
    def times(self) -> pd.DatetimeIndex:
        """(N,) start of each step, UTC."""
        return pd.DatetimeIndex(self.weather["valid_time"])


def make_world(site: Site, sky: Sky, seed: int, start: datetime, steps: int) -> World:
    """The world of a site for a seed; any span gives the same values as a longer one that holds it."""
    weather = sky.truth(start, steps)
    gains = room_gains(site, pane_gains(site, weather))
    by_room = {name: gains.pivot_table(index="room", columns="valid_time", values=name) for name in _GAINS}
    minutes = round(start.timestamp()) + MINUTE * np.arange(steps * STEP_S // MINUTE, dtype=np.int64)
    staff = np.array([max(1, round(room.occupants)) for room in site.rooms])
    people = count_people(staff, seed, minutes, site.zone)
    clock = local_clock(round(start.timestamp()) + STEP_S * np.arange(steps, dtype=np.int64), site.zone)
    hour = (clock.hour + clock.minute / 60).to_numpy()
    workday = np.array([site.is_working_day(moment.date()) for moment in clock])
    begin, end = (moment.hour + moment.minute / 60 for moment in (site.occupancy.start, site.occupancy.end))
    return World(
        start=start,
        weather=weather,
        **{ours: by_room[name].reindex(site.room_ids).to_numpy(dtype=float) for name, ours in _GAINS.items()},
        people=_by_step(people),
        presence=_by_step(motion(seed, people, minutes)),
        fan=(workday & (hour >= FAN_HOURS[0]) & (hour < FAN_HOURS[1])).astype(float),
        working=workday & (hour >= begin) & (hour < end),
    )


_GAINS = {"poa_global": "irradiance", "gain_open": "gain_open", "gain_shaded": "gain_shaded"}


def _by_step(minutes: Floats) -> Floats:
    per_step = STEP_S // MINUTE
    return minutes.reshape(len(minutes) // per_step, per_step, -1).mean(axis=1).T


def steps_between(start: datetime, end: datetime) -> int:
    """Whole steps from `start` to `end`."""
    return int((end - start) / STEP)


def after(start: datetime, steps: int) -> datetime:
    """The instant `steps` later."""
    return start + timedelta(seconds=STEP_S * steps)
