"""What is known of one room's past on the 15-minute grid: its temperature and everything that moved it.

Belongs here: which reading speaks for which input of the model, and what stands in where a building measures less.
Does not belong here: the model. A measurement beats a forecast; what nobody knows is NaN and is never taken as zero.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
import pandas as pd

from esus_pipeline.control.model.people import SENSORS, people_present
from esus_pipeline.control.model.room_model import FRESH_AIR, SUPPLY_AIR, Array, water_by_weather
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Room, ShadeGroup, Site
from esus_pipeline.solar import pane_gains, room_gains
from esus_pipeline.weather import newest_by_time

_WEATHER = ["issued_at", "valid_time", "ghi", "dni", "dhi", "temp_air", "source"]

BRIDGE = 4
"""Steps without an input that a straight line stands in for (an hour); the temperature itself is never made up."""
WEATHER_STEPS = 24
"""Steps of outdoor temperature that the heating water answers to (6 hours)."""

STEP_SECONDS = STEP.total_seconds()

_ROOM = ("air_temperature", "radiator_valve", "cooling_valve", "damper_position", "window_open", *SENSORS)
_BUILDING = ("outdoor_temperature", "heating_supply_temperature", "supply_temperature_after_coil", "global_irradiance")


def quantities(site: Site) -> set[str]:
    """Columns of the room table that a history is made of, as far as the building measures them."""
    feedback = {group.feedback.quantity for group in site.shade_groups.values() if group.feedback}
    return {*_ROOM, *_BUILDING, *feedback}


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


@dataclass(frozen=True)
class Around:
    """What moved all rooms of a building, on one grid of N steps; gaps are bridged."""

    start: datetime
    building: pd.DataFrame
    """The building's rows of the room table."""
    outdoor: Array
    """degC."""
    water: Array
    """degC of the heating water supplied."""
    supply_air: Array
    """degC."""

    @classmethod
    def of(cls, start: datetime, building: pd.DataFrame, weather: pd.DataFrame) -> "Around":
        """From the building's rows and those of the weather, both on the grid that begins at `start`."""
        building = _bridged(building)
        outdoor = _first(_column(building, "outdoor_temperature"), _column(_bridged(weather), "temp_air"))
        lately = pd.Series(outdoor).rolling(WEATHER_STEPS, min_periods=1).mean().to_numpy(float)
        supply = _column(building, "supply_temperature_after_coil")
        return cls(
            start=start,
            building=building,
            outdoor=outdoor,
            water=_first(_column(building, "heating_supply_temperature"), water_by_weather(lately)),
            supply_air=_first(supply, np.maximum(outdoor, SUPPLY_AIR)),
        )


def room_history(site: Site, room_id: str, measured: pd.DataFrame, sun: pd.DataFrame, around: Around) -> History:
    """The past of a room, all frames on the grid of `around`.

    Args:
        site: the building.
        room_id: one of its rooms.
        measured: the room's rows of the room table.
        sun: the room's gain_open and gain_shaded as in frames.SOLAR_GAIN.
        around: the same steps of the whole building.
    """
    room = site.room(room_id)
    own, sun = _bridged(measured), _bridged(sun)
    people = people_present(room, own)
    return History(
        room=room_id,
        start=around.start,
        air=_column(measured, "air_temperature"),
        outdoor=around.outdoor,
        gain_open=_column(sun, "gain_open"),
        gain_shaded=_column(sun, "gain_shaded"),
        shade=_shade(site, room, own, around.building),
        people=people,
        valve=_valve(room, own),
        water=around.water,
        damper=_damper(room, own, people),
        supply_air=around.supply_air,
        window_open=np.nan_to_num(_column(own, "window_open")),
        cooling=_cooling(room, own),
    )


def weather_of_the_past(site: Site, rooms: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row per valid_time, the columns _WEATHER of frames.WEATHER_FORECAST: the newest issue's or what was measured.

    A measured global_irradiance of the building is split into beam and diffuse by Erbs et al. (1982), pvlib.
    """
    newest = newest_by_time(forecasts)[_WEATHER]
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
    """The frame with gaps of at most BRIDGE rows filled by straight lines."""
    return pd.DataFrame({name: _bridge(frame[name].to_numpy(float)) for name in frame.columns}, frame.index)


def _bridge(values: Array) -> Array:
    known = np.flatnonzero(~np.isnan(values))
    if len(known) in (0, len(values)):
        return values
    row = np.arange(len(values))
    after = np.searchsorted(known, row)
    inside = (after > 0) & (after < len(known))
    gap = np.zeros(len(values))
    gap[inside] = known[after[inside]] - known[after[inside] - 1] - 1
    short = inside & (gap <= BRIDGE)
    return np.where(short, np.interp(row, known, values[known]), values)


def _column(frame: pd.DataFrame, name: str) -> Array:
    """The column; NaN where the building measures no such thing."""
    return frame[name].to_numpy(float) if name in frame.columns else np.full(len(frame), np.nan)


def _first(measured: Array, other: Array) -> Array:
    return np.where(np.isnan(measured), other, measured)


def _shade(site: Site, room: Room, own: pd.DataFrame, building: pd.DataFrame) -> Array:
    if not any(window.shade for window in room.windows):
        return np.zeros(len(own))
    group = next((group for group in site.shade_groups.values() if room.id in group.rooms), None)
    return _observed(group, own, building)


def _observed(group: ShadeGroup | None, own: pd.DataFrame, building: pd.DataFrame) -> Array:
    if group is None or group.feedback is None:
        return np.full(len(own), np.nan)
    reported = _first(_column(own, group.feedback.quantity), _column(building, group.feedback.quantity))
    return group.feedback.position(reported)


def _valve(room: Room, own: pd.DataFrame) -> Array:
    """A room without a radiator needs no valve."""
    if not room.heating_power:
        return np.zeros(len(own))
    return _column(own, "radiator_valve") / 100


def _cooling(room: Room, own: pd.DataFrame) -> Array:
    """A room whose cooling valve is not measured is taken to have none."""
    if not room.cooling_power or "cooling_valve" not in own:
        return np.zeros(len(own))
    return room.cooling_power * _column(own, "cooling_valve") / 100


def _damper(room: Room, own: pd.DataFrame, people: Array) -> Array:
    """A room whose damper is not measured at all is given fresh air by its people."""
    position = _column(own, "damper_position")
    if room.ventilation_flow and np.isnan(position).all():
        return np.minimum(FRESH_AIR * people / room.ventilation_flow, 1.0)
    return position / 100 if room.ventilation_flow else np.zeros(len(own))
