"""One UTC week of the twin: from weather and people to the true minute series of every quantity.

Belongs here: putting the parts together. Does not belong here: how sensors see it (see sensors) and when they speak
(see rhythm).
"""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from esus_pipeline.simulator import operation, rooms, shading
from esus_pipeline.simulator.building import FACADES, SHADED_FACADES, Building
from esus_pipeline.simulator.meter import run_meter
from esus_pipeline.simulator.noise import HOUR, MINUTE, MONDAY, WEEK, Floats, Ints, smooth, uniform
from esus_pipeline.simulator.people import activity, count_people, local_clock, motion
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.site import Site

HISTORY_MINUTES = 1440
"""Minutes before its week that a truth begins with; a change of value needs to know what came before."""
_WARM_UP_MINUTES = 9 * 1440
WEEK_MINUTES = WEEK // MINUTE

Series = TypeVar("Series", shading.Shading, operation.Setpoints, operation.Lights)
Truth = dict[tuple[str | None, str], Floats]
"""(room or None, quantity) -> minute series in the unit of the points (W/m2 for the sun sensors): history and week."""


def week_of(time_s: int) -> int:
    """Number of the UTC week (Monday to Sunday) that an instant lies in."""
    return (time_s - MONDAY) // WEEK


def week_start(week: int) -> int:
    """First second of a week, seconds since 1970."""
    return MONDAY + week * WEEK


@dataclass(frozen=True)
class _Week:
    """What is known of a week before its rooms are simulated.

    `drivers` start with the warm-up, all other series with the history.
    """

    number: int
    weather: pd.DataFrame
    motion: Floats
    shading: shading.Shading
    setpoints: operation.Setpoints
    lights: operation.Lights
    daylight: Floats
    ventilation: Floats
    drivers: rooms.Drivers


def simulate_weeks(site: Site, building: Building, weather: Weather, weeks: list[int]) -> dict[int, Truth]:
    """The true series of each week, simulated side by side."""
    prepared = [_prepare(site, building, weather, week) for week in weeks]
    names = rooms.Drivers.__dataclass_fields__
    drivers = rooms.Drivers(**{n: np.stack([getattr(w.drivers, n) for w in prepared], axis=1) for n in names})
    lived = rooms.simulate(building, drivers, _WARM_UP_MINUTES)
    return {week.number: _truth(site, building, weather, week, lived, index) for index, week in enumerate(prepared)}


def _prepare(site: Site, building: Building, weather: Weather, week: int) -> _Week:
    seed, zone = weather.seed, site.zone
    time_s = week_start(week) + MINUTE * np.arange(-_WARM_UP_MINUTES - HISTORY_MINUTES, WEEK_MINUTES, dtype=np.int64)
    sky = weather.at(time_s)
    clock = local_clock(time_s, zone)
    people = count_people(building.people, seed, time_s, zone)
    moved = motion(seed, people, time_s)
    shaded = shading.shade(building, sky, shading.limits_of(site))
    solar, daylight = shading.room_sun(building, shaded)
    points = operation.setpoints(building, seed, clock, moved)
    light = operation.lights(building, seed, time_s, moved, daylight)
    ventilation = operation.ventilation_status(clock)
    outdoor = sky["temp_air"].to_numpy()
    drivers = rooms.Drivers(
        outdoor=outdoor[:, None],
        sol_air=outdoor[:, None] + 0.025 * shaded.sun[:, building.facade],
        corridor=operation.corridor(time_s, seed, outdoor)[:, None],
        solar=solar,
        people=people,
        activity=activity(seed, time_s)[:, None],
        equipment=operation.equipment(building, seed, time_s, people, light),
        heating=points.heating,
        cooling=points.cooling,
        supply_water=operation.supply_water(outdoor)[:, None],
        supply_air=operation.supply_air(outdoor)[:, None],
        fan=(ventilation / 2)[:, None],
        window_mood=_window_mood(building, seed, time_s, outdoor),
        wind_factor=(0.6 + 0.1 * sky["wind_speed"].to_numpy())[:, None],
    )
    kept = slice(_WARM_UP_MINUTES, None)
    return _Week(
        week, sky[kept], moved[kept], _part(shaded, kept), _part(points, kept), _part(light, kept), daylight[kept],
        ventilation[kept], drivers,
    )  # fmt: skip


def _part(series: Series, rows: slice) -> Series:
    """The same record with `rows` of every series."""
    return replace(series, **{field.name: getattr(series, field.name)[rows] for field in fields(series)})


def _window_mood(building: Building, seed: int, time_s: Ints, outdoor: Floats) -> Floats:
    """Room temperature at which a window is opened: lower in mild weather, out of the question in the cold."""
    room = np.arange(len(building.rooms)) * 1_000_000_000
    mood = 2.5 * uniform(seed, "window", time_s[:, None] // HOUR + room)
    cold = np.maximum(16 - outdoor, 0)[:, None]
    return 25.2 + mood + 0.25 * cold - 0.8 * building.temper


def _truth(site: Site, building: Building, weather: Weather, week: _Week, lived: rooms.Rooms, index: int) -> Truth:
    """The series of one week, in the order of the rooms and then of the building."""
    truth: Truth = {}
    for room, name in enumerate(building.rooms):
        columns = {
            "air_temperature": lived.air[:, index, room],
            "co2": lived.co2[:, index, room],
            "radiator_valve": 100 * lived.valve[:, index, room],
            "damper_position": 100 * lived.damper[:, index, room],
            "window_open": lived.window[:, index, room],
            "occupancy": week.motion[:, room],
            "heating_setpoint": week.setpoints.heating[:, room],
            "cooling_setpoint": week.setpoints.cooling[:, room],
            "setpoint_offset": week.setpoints.offset[:, room],
            "illuminance": week.daylight[:, room] + 4.5 * week.lights.level[:, room],
            "light_level": week.lights.level[:, room],
            "light_on": week.lights.on[:, room],
            "light_manual_switch": week.lights.manual[:, room],
            "light_off_by_daylight": week.lights.off_by_daylight[:, room],
            "ventilation_status": week.ventilation,
        }
        columns |= {name_: np.full(len(week.motion), value) for name_, value in operation.SETTINGS.items()}
        truth |= {(name, quantity): series for quantity, series in columns.items()}
    truth |= {(None, quantity): series for quantity, series in _central(site, week).items()}
    truth |= _meter(weather, week, lived, index)
    return truth


def _central(site: Site, week: _Week) -> dict[str, Floats]:
    limits, shade = shading.limits_of(site), week.shading
    minutes = len(week.motion)
    wind = week.weather["wind_speed"].to_numpy() * 0.95
    central = {
        "shading_power": np.ones(minutes),
        "shading_released": shade.released,
        "wind_block_limit": np.full(minutes, limits.block_wind),
        "wind_release_limit": np.full(minutes, limits.release_wind),
        "wind_speed": wind,
    }
    for column, facade in enumerate(FACADES):
        central[f"solar_intensity_{facade}"] = shade.sun[:, column]
    for column, facade in enumerate(SHADED_FACADES):
        central[f"blind_motor_{facade}"] = shade.motor[:, column]
        central[f"shading_close_limit_{facade}"] = np.full(minutes, limits.close_above)
        central[f"shading_open_limit_{facade}"] = np.full(minutes, limits.open_below)
    return central


def _meter(weather: Weather, week: _Week, lived: rooms.Rooms, index: int) -> Truth:
    """The meter's series; its history repeats the first minute, since its totals begin with the week."""
    outdoor = week.weather["temp_air"].to_numpy()[HISTORY_MINUTES:]
    heat = lived.heat[HISTORY_MINUTES:, index].sum(axis=1)
    meter = run_meter(weather, week.number, week_start(week.number), outdoor, heat)
    drift = 0.15 * smooth(weather.seed, "meter", week_start(week.number) + MINUTE * np.arange(WEEK_MINUTES), HOUR)
    series = {
        "heating_power": meter.power,
        "heating_flow": meter.flow * 1000,
        "heating_supply_temperature": meter.supply + drift,
        "heating_return_temperature": meter.back + drift,
        "heating_energy": meter.energy,
        "heating_volume": meter.volume,
        "heating_operating_hours": meter.hours,
    }
    lead = np.zeros(HISTORY_MINUTES)
    return {(None, name): np.concatenate([lead + values[0], values]) for name, values in series.items()}
