"""What a building is: place, facades, rooms, windows, shades, comfort, tariffs, wind limits, points.

Belongs here: facts of one building, typed and validated. Does not belong here: reading the files (see load), whether
the parts fit together (see references) and any computation with the facts. Angles are degrees; azimuths count
clockwise from north (pvlib's convention).
`assumed: true` on an object says that its numbers are plausible guesses that someone should measure.
"""

from datetime import date, time, timedelta
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from esus_pipeline.site.alerting import Alerting
from esus_pipeline.site.calendar import Calendar
from esus_pipeline.site.point import Point
from esus_pipeline.site.quantities import QUANTITIES, Quantity
from esus_pipeline.site.references import misfits

Share = Annotated[float, Field(ge=0, le=1)]
Azimuth = Annotated[float, Field(ge=0, lt=360)]
Positive = Annotated[float, Field(gt=0)]
Degrees90 = Annotated[float, Field(ge=0, le=90)]
Name = Annotated[str, Field(min_length=1)]


class Fact(BaseModel):
    """Base of every part of a site: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    assumed: bool = False


class Place(Fact):
    """Where the building stands."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    altitude: Annotated[float, Field(ge=-500, le=9000)] = 0.0
    """Metres above sea level."""
    timezone: str
    """IANA name; only people and tariffs see local time."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166 code, for its public holidays; without one no holiday is known."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone; for example Europe/Copenhagen") from error
        return name

    @field_validator("country")
    @classmethod
    def _known_country(cls, code: str | None) -> str | None:
        from holidays import list_supported_countries

        if code is not None and code not in list_supported_countries(include_aliases=False):
            raise ValueError("no holidays are known of this country; an ISO 3166 code such as DK, or leave it out")
        return code


class SunSensor(Fact):
    """The building's own sensor on a facade."""

    quantity: str
    unit: Literal["W/m2", "lux", "klux"] = "W/m2"


class Facade(Fact):
    """One outside wall and what stands before it."""

    azimuth: Azimuth
    tilt: Degrees90 = 90.0
    albedo: Share = 0.2
    horizon: tuple[tuple[Azimuth, Degrees90], ...] = ()
    """(azimuth, elevation) pairs of the skyline, joined by straight lines; empty is a free horizon."""
    sun_sensor: SunSensor | None = None


class ShadeKind(Fact):
    """A kind of shade. `g_tot` is the total solar energy transmittance of glazing and lowered shade (EN 14501)."""

    placement: Literal["external", "internal"] = "external"
    g_tot: Share
    light_transmittance: Share
    movement: Literal["continuous", "open_or_closed"] = "continuous"
    travel_seconds: Positive = 60.0


class ShadeFeedback(Fact):
    """A quantity that tells where shades are: its readings when they are open (retracted) and closed (lowered).

    It is measured in the rooms of the group, or once for the building.
    """

    quantity: str
    open_at: float
    closed_at: float

    @model_validator(mode="after")
    def _polarity(self) -> "ShadeFeedback":
        if self.open_at == self.closed_at:
            raise ValueError("open_at must differ from closed_at")
        return self

    def position(self, reading: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Shade position 0 open .. 1 closed of readings; a reading a little outside the range counts as its end."""
        share = (reading - self.open_at) / (self.closed_at - self.open_at)
        return np.where((share >= -0.1) & (share <= 1.1), np.clip(share, 0.0, 1.0), np.nan)


class ShadeGroup(Fact):
    """Rooms whose shades move together on one output."""

    rooms: tuple[str, ...]
    close_above: Positive
    """Facade irradiance (W/m2) above which the building's own rule lowers the shades."""
    open_below: Annotated[float, Field(ge=0)]
    """Facade irradiance (W/m2) below which the building's own rule raises them."""
    feedback: ShadeFeedback | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "ShadeGroup":
        if self.open_below >= self.close_above:
            raise ValueError("open_below must be less than close_above")
        return self


class Overhang(Fact):
    """A horizontal slab above a window: `depth` m deep, its underside `gap` m above the top of the pane."""

    depth: Positive
    gap: Annotated[float, Field(ge=0)] = 0.0
    window_height: Positive


class Window(Fact):
    """One pane or a row of equal panes."""

    id: Name
    facade: str
    area: Positive
    """Area of the opening, m2, frame included."""
    azimuth: Azimuth | None = None
    """Where it differs from the facade's."""
    tilt: Degrees90 | None = None
    u_value: Positive
    """W/(m2 K)."""
    g_value: Share
    """Solar energy transmittance at normal incidence (EN 410)."""
    frame_share: Share = 0.2
    shade: str | None = None
    overhang: Overhang | None = None


class Room(Fact):
    """One room that the schedule speaks of; an inner room has an empty list of windows."""

    id: Name
    title: str = ""
    area: Positive
    """Floor area, m2."""
    height: Positive
    """Clear height, m."""
    windows: tuple[Window, ...]
    outer_wall_u_value: Positive = 0.3
    """W/(m2 K), opaque part of the facade."""
    outer_wall_area: Annotated[float, Field(ge=0)] = 0.0
    """Opaque part of the facade, m2."""
    heat_capacity: Positive = 165_000.0
    """J/(K m2 floor); 165,000 is the medium class of ISO 13790."""
    occupants: Annotated[float, Field(ge=0)] = 0.0
    """People at full use."""
    heating_power: Annotated[float, Field(ge=0)] = 0.0
    """Radiator output at design conditions, W."""
    cooling_power: Annotated[float, Field(ge=0)] | None = None
    """Greatest mechanical cooling at any time, W; absent means what the supply air can carry in working hours."""
    ventilation_flow: Annotated[float, Field(ge=0)] = 0.0
    """Greatest supply air flow, m3/h."""


class Hours(Fact):
    """When people are expected, in local time."""

    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4)
    """0 is Monday."""
    start: time = time(8)
    end: time = time(16)

    @field_validator("start", "end")
    @classmethod
    def _local(cls, moment: time) -> time:
        if moment.tzinfo is not None:
            raise ValueError("must be local time, without a zone")
        return moment

    @model_validator(mode="after")
    def _order(self) -> "Hours":
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class Band(Fact):
    """Comfort band of the air temperature, degC."""

    low: Annotated[float, Field(ge=5, le=30)]
    high: Annotated[float, Field(ge=10, le=40)]

    @model_validator(mode="after")
    def _order(self) -> "Band":
        if self.low >= self.high:
            raise ValueError("low must be less than high")
        return self


class Comfort(Fact):
    """The band with and without people. Category II of EN 16798-1 is 20 to 26 degC."""

    occupied: Band
    unoccupied: Band


class Tariffs(Fact):
    """What energy costs."""

    currency: str = "DKK"
    heat: Annotated[float, Field(ge=0)]
    """Per kWh of district heat."""
    electricity: Annotated[float, Field(ge=0)]
    """Per kWh, all included, where no day-ahead price is at hand."""
    electricity_surcharge: Annotated[float, Field(ge=0)] = 0.0
    """Per kWh on top of the day-ahead price: grid, taxes, trader."""
    price_area: Literal["DK1", "DK2"] | None = None
    """Bidding zone whose day-ahead price counts; absent means that the fixed price does."""
    cooling_cop: Positive = 3.0


class Control(Fact):
    """What the optimiser is told to care about. Prices are in the tariffs' currency; docs/control.md explains each."""

    mode: Literal["advisory", "active"] = "advisory"
    """Whether anything carries the plan out. Only then is a shade that stands elsewhere somebody's override."""
    comfort_price: Positive = 4.0
    """Per room and K h outside the comfort band."""
    margin: Annotated[float, Field(ge=0, le=2)] = 0.8
    """K kept below the upper limit, at most: a taught room keeps the error that its last lesson measured."""
    setpoint_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """K that setpoints keep inside the comfort band at work, for thermostats that do not hold it exactly."""
    precool_minutes: Annotated[int, Field(ge=0, le=12 * 60)] = 0
    """Before work, from when on rooms are cooled to the occupied band, for cooling that a hot afternoon overstrains."""
    view_price: Annotated[float, Field(ge=0)] = 0.03
    """Per room and working hour with the shade down; three times as much beyond half of a day."""
    move_price: Annotated[float, Field(ge=0)] = 0.02
    """Per room and move of a shade."""
    glare_above: Positive | None = None
    """W/m2 on the facade above which people in the room are spared the sun; absent means never."""
    override_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 120
    """How long a shade stays where somebody put it."""
    time_limit: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds for one shade group's plan; the best one found by then is taken."""


class Wind(Fact):
    """Wind limits of the shades, m/s as the building's own sensor reads it."""

    retract_above: Positive
    release_below: Positive
    hold_minutes: Annotated[int, Field(ge=0, le=240)] = 30
    quantity: str = "wind_speed"
    gust_factor: Annotated[float, Field(ge=1, le=3)] = 1.6
    """Forecast gust over what the sensor reads: 1 for a sensor that reports gusts, about 1.6 for one of means."""

    @model_validator(mode="after")
    def _hysteresis(self) -> "Wind":
        if self.release_below >= self.retract_above:
            raise ValueError("release_below must be less than retract_above")
        return self


class Site(Fact):
    """One building. Load it with `esus_pipeline.site.load_site`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    data_start: date
    """First day (UTC) that has a partition."""
    place: Place
    facades: dict[str, Facade]
    shades: dict[str, ShadeKind] = {}
    shade_groups: dict[str, ShadeGroup] = {}
    rooms: tuple[Room, ...]
    occupancy: Hours = Hours()
    comfort: Comfort
    tariffs: Tariffs
    control: Control = Control()
    wind: Wind
    quantities: dict[str, Quantity] = {}
    """Quantities of this building alone, or other limits for common ones."""
    alerts: Alerting = Alerting()
    points: tuple[Point, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "Site":
        faults: list[InitErrorDetails] = [
            {"type": PydanticCustomError("misfit", "{allowed}", {"allowed": allowed}), "loc": path, "input": found}
            for path, allowed, found in misfits(self)
        ]
        if faults:
            raise ValidationError.from_exception_data("site", faults)
        return self

    def quantity(self, name: str) -> Quantity:
        """What is known of a quantity; an unknown one is carried as it is, without limits."""
        return self.quantities.get(name) or QUANTITIES.get(name) or Quantity(unit="unknown", max_age=timedelta(days=1))

    def canonical_unit(self, point: Point) -> str:
        """Unit of the point's clean values: the quantity's, or the point's own where no conversion is known."""
        quantity = self.quantity(point.quantity)
        return quantity.unit if quantity.convert(point.unit) else point.unit

    @property
    def calendar(self) -> Calendar:
        """Local time and holidays of the building."""
        return Calendar(self.zone, self.place.country)

    def is_working_day(self, day: date) -> bool:
        """Whether people are expected on a local day: one of the weekdays with occupancy, and no holiday."""
        return day.weekday() in self.occupancy.weekdays and not self.calendar.is_holiday(day)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Local time of the building."""
        return ZoneInfo(self.place.timezone)

    @cached_property
    def room_ids(self) -> tuple[str, ...]:
        """Rooms in the order of the site file."""
        return tuple(room.id for room in self.rooms)

    @cached_property
    def point_ids(self) -> tuple[int, ...]:
        """Ids of all points in the order of points.csv."""
        return tuple(point.id for point in self.points)

    def room(self, room_id: str) -> Room:
        """The room of that id; KeyError names those that exist."""
        for room in self.rooms:
            if room.id == room_id:
                return room
        raise KeyError(f"no room {room_id!r}; there are {list(self.room_ids)}")

    def assumptions(self) -> list[str]:
        """Dotted names of everything that is marked `assumed: true`, such as `rooms.1.213.windows.w1`."""
        return [path for path, fact in _walk("", self) if fact.assumed]


def _walk(path: str, fact: Fact) -> list[tuple[str, Fact]]:
    found = [(path, fact)] if path else []
    for name in type(fact).model_fields:
        value = getattr(fact, name)
        children: list[tuple[str, object]]
        if isinstance(value, dict):
            children = list(value.items())
        elif isinstance(value, tuple):
            children = [(getattr(item, "id", str(index)), item) for index, item in enumerate(value)]
        else:
            children = [("", value)]
        for key, child in children:
            if isinstance(child, Fact):
                found += _walk(".".join(part for part in (path, name, str(key)) if part), child)
    return found
