"""What serves the rooms, with the sloth that real services have: radiators, cooling, supply air, lights.

Steps of a zone time step; arrays are (R,). Belongs here: machines and their local controllers. Does not belong here:
the rooms (EnergyPlus) and the people.
"""

from dataclasses import dataclass, field

import numpy as np

from esus_pipeline.plants.energyplus.office import STEPS_PER_HOUR
from esus_pipeline.simulator.noise import Floats
from esus_pipeline.site import Site

STEP_S = 3600 / STEPS_PER_HOUR
OUTDOOR_CO2, PERSON_CO2 = 420.0, 0.020
"""ppm; m3/h a person."""
AIR_HEAT = 0.335
"""Wh/(m3 K)."""
GAIN, RESET_S = 0.7, 2400.0
"""Proportional-integral control of radiator valves and cooling: per K, and the reset time."""
WATER_STORE = 45.0
"""J/K of a radiator per W of its power."""
COOLING_LAG_S, SUPPLY_LAG_S = 600.0, 900.0
LIGHT_POWER, LIGHT_TARGET = 6.5, 450.0
"""W/m2 of floor at full light; lux at the desk that daylight and lights make together."""
LUX_PER_WATT, DESK = 108.0, 0.32
"""lm/W of daylight; share of the light through the glass that reaches the desk, per glass over floor area."""
GLASS_LIGHT = 0.72


@dataclass
class Services:
    """State of all rooms' services, and what they did in the last step (W, 0..1, lux)."""

    site: Site
    radiator: Floats = field(init=False)
    valve: Floats = field(init=False)
    cooling: Floats = field(init=False)
    supply: Floats = field(init=False)
    co2: Floats = field(init=False)
    damper: Floats = field(init=False)
    lights: Floats = field(init=False)
    water: float = 45.0
    """degC of the heating water."""
    drawn: Floats = field(init=False)
    """W taken from the heating water."""

    def __post_init__(self) -> None:
        rooms = self.site.rooms
        count = len(rooms)
        self._power = np.array([room.heating_power for room in rooms])
        self._chill = np.array([room.cooling_power or 0.0 for room in rooms])
        self._flow = np.array([room.ventilation_flow for room in rooms])
        self._volume = np.array([room.area * room.height for room in rooms])
        self._floor = np.array([room.area for room in rooms])
        self._glass = np.array([sum(window.area for window in room.windows) for room in rooms])
        self._dim = np.array([self.site.shades[room.windows[0].shade or ""].light_transmittance for room in rooms])
        self.radiator, self.supply = np.full(count, 25.0), np.full(count, 18.0)
        self.valve, self.cooling, self.damper = (np.zeros(count) for _ in range(3))
        self.co2 = np.full(count, OUTDOOR_CO2 + 50)
        self.lights, self.drawn = np.zeros(count), np.zeros(count)
        self._heat_sum, self._cold_sum = np.zeros(count), np.zeros(count)

    def heat(self, air: Floats, setpoint: Floats, outdoor: float, window: Floats) -> Floats:
        """Emission of the radiators, W: PI valve of three minutes' travel, water by the weather, a heavy body."""
        self.water = float(np.clip(33.0 + 1.15 * (17.0 - outdoor), 30.0, 65.0))
        wanted, self._heat_sum = _pi(setpoint - air, self._heat_sum)
        wanted = np.where(window > 0, 0.0, wanted)
        self.valve = self.valve + np.clip(wanted - self.valve, -1.0, 1.0)
        emission = self._power / 30.0
        through = 2.0 * emission * self.valve
        store = WATER_STORE * self._power / STEP_S
        self.radiator = (store * self.radiator + through * self.water + emission * air) / (store + through + emission)
        self.drawn = np.maximum(through * (self.water - self.radiator), 0.0)
        return emission * np.maximum(self.radiator - air, 0.0)

    def cool(self, air: Floats, setpoint: Floats, window: Floats) -> Floats:
        """Heat removed, W: PI control of chilled supply air with its lag."""
        wanted, self._cold_sum = _pi(air - setpoint, self._cold_sum)
        wanted = np.where(window > 0, 0.0, wanted)
        self.cooling = self.cooling + (wanted * self._chill - self.cooling) * (1 - np.exp(-STEP_S / COOLING_LAG_S))
        self.cooling = np.where(self.cooling < 1.0, 0.0, self.cooling)
        return self.cooling

    def ventilate(self, air: Floats, people: Floats, fan: float, outdoor: float, airing: Floats) -> Floats:
        """Heat of the supply air, W: flow by CO2 while the fan runs, at 18 degC or outdoors when that is warmer."""
        self.damper = fan * np.clip((self.co2 - 500.0) / 400.0, 0.1, 1.0)
        target = max(outdoor, 18.0)
        self.supply = self.supply + (target - self.supply) * (1 - np.exp(-STEP_S / SUPPLY_LAG_S))
        flow = self.damper * self._flow
        outside = flow + 0.1 * self._volume + 3600 * airing
        level = OUTDOOR_CO2 + 1e6 * PERSON_CO2 * people / outside
        self.co2 = level + (self.co2 - level) * np.exp(-outside / self._volume * STEP_S / 3600)
        return AIR_HEAT * flow * (self.supply - air)

    def light(self, sun: Floats, shade: Floats, people: Floats) -> Floats:
        """W of the lights: what daylight lacks at the desk while somebody is there. `sun` is W/m2 on the facade."""
        through = GLASS_LIGHT * (1 - shade) + self._dim * shade
        daylight = LUX_PER_WATT * sun * through * DESK * self._glass / self._floor
        lacking = np.clip((LIGHT_TARGET - daylight) / LIGHT_TARGET, 0.0, 1.0)
        self.lights = np.where(people > 0, lacking, 0.0) * LIGHT_POWER * self._floor
        return self.lights


def _pi(error: Floats, integral: Floats) -> tuple[Floats, Floats]:
    """Output 0..1 of a PI controller and its integral, which does not wind up."""
    integral = np.clip(integral + GAIN * error * STEP_S / RESET_S, 0.0, 1.0)
    return np.clip(GAIN * error + integral, 0.0, 1.0), integral
