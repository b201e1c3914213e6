"""What is known of one room's past on the 15-minute grid: its temperature and everything that moved it.

Belongs here: which reading speaks for which input of the model, and what stands in where a building measures less.
Does not belong here: the model. A measurement beats a forecast; what nobody knows is NaN and is never taken as zero.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
import pandas as pd

from esus_pipeline.control.model.people import people_present
from esus_pipeline.control.model.room_model import FRESH_AIR, SUPPLY_AIR, Array, water_by_weather
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Room, ShadeGroup, Site
from esus_pipeline.solar import pane_gains, room_gains

_WEATHER = ["issued_at", "valid_time", "ghi", "dni", "dhi", "temp_air", "source"]

BRIDGE = 4
"""Steps without an input that a straight line stands in for (an hour); the temperature itself is never made up."""
WEATHER_STEPS = 24
"""Steps of outdoor temperature that the heating water answers to (6 hours)."""

STEP_SECONDS = STEP.total_seconds()


@dataclass(frozen=True)
class History:
    """One room, N steps of 15 minutes from `start` on, each value the mean over its step; NaN is unknown."""

    room: str
    start: datetime
    air: Array
    """degC in the room."""
    outdoor: Array
    """degC."""
    gain_open: Array
    """W, as frames.SOLAR_GAIN."""
    gain_shaded: Array
    """W, as frames.SOLAR_GAIN."""
    shade: Array
    """0 open .. 1 closed."""
    people: Array
    """Persons present."""
    valve: Array
    """Radiator valve, 0 .. 1."""
    water: Array
    """degC of the heating water supplied."""
    damper: Array
    """Supply air as a share of the room's greatest flow, 0 .. 1."""
    supply_air: Array
    """degC of the supply air."""
    window_open: Array
    """Share of the step with an open window; 0 in a room whose windows nobody watches."""
    cooling: Array
    """W that mechanical cooling removes; 0 in a room without a cooling valve."""

    def __len__(self) -> int:
        return len(self.air)

    @property
    def times(self) -> pd.DatetimeIndex:
        """Starts of the steps, UTC."""
        return pd.DatetimeIndex(pd.date_range(self.start, periods=len(self), freq=STEP))

    def part(self, first: int, last: int) -> "History":
        """Steps first .. last - 1."""
        arrays = {item.name: getattr(self, item.name)[first:last] for item in fields(self)[2:]}
        return History(self.room, self.start + first * STEP, **arrays)


def room_history(site: Site, room_id: str, rooms: pd.DataFrame, weather: pd.DataFrame, gains: pd.DataFrame) -> History:
    """The past of a room.

    Args:
        site: the building.
        room_id: one of its rooms.
        rooms: rows of the room table, the building's included; they span the history.
        weather: one row of frames.WEATHER_FORECAST per valid_time, as `weather_of_the_past` gives.
        gains: one row of frames.SOLAR_GAIN per room and valid_time, as `gains_of_the_past` gives.
    """
    room = site.room(room_id)
    grid = pd.date_range(rooms["timestamp"].min(), rooms["timestamp"].max(), freq=STEP)
    measured = rooms[rooms["room"] == room_id].set_index("timestamp").reindex(grid)
    own = _bridged(measured)
    building = _bridged(rooms[rooms["room"] == BUILDING].set_index("timestamp").reindex(grid))
    weather = _bridged(weather.set_index("valid_time").reindex(grid))
    sun = _bridged(gains[gains["room"] == room_id].set_index("valid_time").reindex(grid))
    outdoor = _first(_column(building, "outdoor_temperature"), weather["temp_air"])
    people = people_present(room, own)
    water = pd.Series(water_by_weather(outdoor.rolling(WEATHER_STEPS, min_periods=1).mean().to_numpy(float)), grid)
    measured_supply = _column(building, "supply_temperature_after_coil")
    return History(
        room=room_id,
        start=grid[0].to_pydatetime(),
        air=_array(_column(measured, "air_temperature")),
        outdoor=_array(outdoor),
        gain_open=sun["gain_open"].to_numpy(float),
        gain_shaded=sun["gain_shaded"].to_numpy(float),
        shade=_shade(site, room, own, building),
        people=people,
        valve=_valve(room, own),
        water=_array(_first(_column(building, "heating_supply_temperature"), water)),
        damper=_damper(room, own, people),
        supply_air=_array(_first(measured_supply, outdoor.clip(lower=SUPPLY_AIR))),
        window_open=_array(_column(own, "window_open").fillna(0.0)),
        cooling=_cooling(room, own),
    )


def weather_of_the_past(site: Site, rooms: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row per valid_time, the columns _WEATHER of frames.WEATHER_FORECAST: the newest issue's or what was measured.

    A measured global_irradiance of the building is split into beam and diffuse by Erbs et al. (1982), pvlib.
    """
    newest = forecasts.sort_values(["valid_time", "issued_at"]).drop_duplicates("valid_time", keep="last")[_WEATHER]
    building = rooms[rooms["room"] == BUILDING]
    if "global_irradiance" not in building.columns or building["global_irradiance"].isna().all():
        return newest.reset_index(drop=True)
    measured = _measured_sky(site, building.dropna(subset=["global_irradiance"]))
    merged = measured.set_index("valid_time").combine_first(newest.set_index("valid_time"))
    return merged.reset_index()


def gains_of_the_past(site: Site, weather: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """One row of frames.SOLAR_GAIN per room and valid_time: from measured irradiance, else the newest estimate."""
    measured = weather[weather["source"] == "measured"]
    newest = gains.sort_values(["valid_time", "issued_at"]).drop_duplicates(["room", "valid_time"], keep="last")
    if measured.empty:
        return newest.reset_index(drop=True)
    computed = room_gains(site, pane_gains(site, measured))
    rest = newest[~newest["valid_time"].isin(computed["valid_time"])]
    return pd.concat([part for part in (computed, rest) if len(part)], ignore_index=True)


def _measured_sky(site: Site, building: pd.DataFrame) -> pd.DataFrame:
    from pvlib import irradiance, solarposition

    times = pd.DatetimeIndex(building["timestamp"])
    middle = times + STEP / 2
    place = site.place
    sun = solarposition.get_solarposition(middle, place.latitude, place.longitude, place.altitude)
    horizontal = building["global_irradiance"].clip(lower=0).to_numpy(float)
    split = irradiance.erbs(horizontal, sun["zenith"].to_numpy(float), middle)
    return pd.DataFrame(
        {
            "issued_at": times,
            "valid_time": times,
            "ghi": horizontal,
            "dni": np.asarray(split["dni"]),
            "dhi": np.asarray(split["dhi"]),
            "temp_air": np.nan,
            "source": "measured",
        }
    )


def _bridged(frame: pd.DataFrame) -> pd.DataFrame:
    """The numbers of a frame, with gaps of at most BRIDGE rows filled by straight lines."""
    numbers = frame.select_dtypes("number").astype(float)
    missing = numbers.isna().to_numpy()
    if not missing.any():
        return numbers
    row, rows = np.arange(len(numbers))[:, None], len(numbers)
    before = np.maximum.accumulate(np.where(missing, -1, row), axis=0)
    after = np.minimum.accumulate(np.where(missing, rows, row)[::-1], axis=0)[::-1]
    return numbers.interpolate(limit_area="inside").mask(missing & (after - before - 1 > BRIDGE))


def _column(frame: pd.DataFrame, name: str) -> "pd.Series[float]":
    """The column; NaN where the building measures no such thing."""
    return frame[name].astype(float) if name in frame.columns else pd.Series(np.nan, frame.index)


def _array(series: "pd.Series[float]") -> Array:
    return np.asarray(series, dtype=np.float64)


def _first(measured: "pd.Series[float]", other: "pd.Series[float]") -> "pd.Series[float]":
    return measured.where(measured.notna(), other)


def _shade(site: Site, room: Room, own: pd.DataFrame, building: pd.DataFrame) -> Array:
    if not any(window.shade for window in room.windows):
        return np.zeros(len(own))
    group = next((group for group in site.shade_groups.values() if room.id in group.rooms), None)
    return _observed(group, own, building)


def _observed(group: ShadeGroup | None, own: pd.DataFrame, building: pd.DataFrame) -> Array:
    if group is None or group.feedback is None:
        return np.full(len(own), np.nan)
    reported = _first(_column(own, group.feedback.quantity), _column(building, group.feedback.quantity))
    return group.feedback.position(_array(reported))


def _valve(room: Room, own: pd.DataFrame) -> Array:
    """A room without a radiator needs no valve."""
    if not room.heating_power:
        return np.zeros(len(own))
    return _column(own, "radiator_valve").to_numpy(float) / 100


def _cooling(room: Room, own: pd.DataFrame) -> Array:
    """A room whose cooling valve is not measured is taken to have none."""
    if not room.cooling_power or "cooling_valve" not in own:
        return np.zeros(len(own))
    return room.cooling_power * _column(own, "cooling_valve").to_numpy(float) / 100


def _damper(room: Room, own: pd.DataFrame, people: Array) -> Array:
    """A room whose damper is not measured at all is given fresh air by its people."""
    position = _column(own, "damper_position")
    if room.ventilation_flow and position.isna().all():
        return np.minimum(FRESH_AIR * people / room.ventilation_flow, 1.0)
    return position.to_numpy(float) / 100 if room.ventilation_flow else np.zeros(len(own))
