"""The plant `energyplus`: the office in EnergyPlus with its services and its people.

Belongs here: the order of things in a step, and what is seen of it. Does not belong here: any of the parts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.protocol import Command, Observation, RoomReading, RoomTruth
from esus_pipeline.control.evaluation.rules import WindGuard
from esus_pipeline.plants.energyplus.engine import Engine
from esus_pipeline.plants.energyplus.office import HEATS, STEPS_PER_HOUR, model
from esus_pipeline.plants.energyplus.people import People
from esus_pipeline.plants.energyplus.services import Services
from esus_pipeline.plants.energyplus.weather_file import weather_file
from esus_pipeline.plants.weather import PAST_S, STEP_S, Sky
from esus_pipeline.plants.world import World, after, make_world
from esus_pipeline.simulator.noise import HOUR, Floats, normal
from esus_pipeline.site import load_site

LONGEST_DAYS = 60
"""A run may last this long."""
EQUIPMENT, STANDBY = 90.0, 1.5
"""W of equipment per person present, and W/m2 of floor always."""
SENSOR_NOISE = 0.05
"""K."""
_WARM_UP_DAYS = 4
_WARM_UP = Command(0.0, 20.0, 25.0)
_CHUNK = 7 * 96
_SUBSTEPS = STEPS_PER_HOUR // 4
_SHADE_DOWN = 3.0
"""EnergyPlus's word for a lowered exterior shade."""


class EnergyPlusPlant:
    """See control.evaluation.protocol.Plant. Close it, or let it go, to stop EnergyPlus."""

    def __init__(self, epw: Path | None = None) -> None:
        """`epw` takes the weather from a file."""
        self._engine: Engine | None = None
        self.site = load_site(str(Path(__file__).parent / "office"))
        self._epw = epw
        rooms = self.site.room_ids
        self._sensors = [("Zone Mean Air Temperature", room.upper()) for room in rooms]
        self._sensors += [
            ("Surface Outside Face Incident Solar Radiation Rate per Area", f"{room} window".upper()) for room in rooms
        ]
        self._actuators = [("OtherEquipment", "Power Level", f"{room} {heat}") for heat in HEATS for room in rooms]
        self._actuators += [("People", "Number of People", f"{room} people") for room in rooms]
        self._actuators += [("Lights", "Electricity Rate", f"{room} lights") for room in rooms]
        self._actuators += [("Zone Ventilation", "Air Exchange Flow Rate", f"{room} airing") for room in rooms]
        self._actuators += [("Window Shading Control", "Control Status", f"{room} window") for room in rooms]

    def reset(self, start: datetime, seed: int) -> Observation:
        """See Plant. EnergyPlus warms up until its days repeat, then lives four days with open shades."""
        self.close()
        self._seed, self._step = seed, 0
        self._begin = start.replace(hour=0, minute=0) - timedelta(days=_WARM_UP_DAYS)
        self._sky = Sky.over(self.site.place, seed, self._epw)
        self._worlds: dict[int, World] = {}
        self._services, self._people, self._guard = Services(self.site), People(self.site, seed), WindGuard(self.site)
        rooms = len(self.site.rooms)
        self._shade = np.zeros(rooms)
        begin = np.zeros(len(self._actuators))
        text = weather_file(self.site.place, self._sky, self._begin, LONGEST_DAYS)
        document = model(self.site, self._begin.date(), LONGEST_DAYS)
        self._engine = Engine(document, text, self._sensors, self._actuators, begin)
        self._air, self._sun = np.split(self._engine.first, 2)
        self._ahead = 1
        told = dict.fromkeys(self.site.room_ids, _WARM_UP)
        while after(self._begin, self._step) < start:
            truth = self._live(told)
        self._now = self._observation(truth)
        return self._now

    def step(self, commands: Mapping[str, Command], minutes: int) -> Observation:
        """See Plant."""
        if minutes * 60 != STEP_S:
            raise ValueError(f"this plant makes steps of {STEP_S // 60} minutes, not {minutes}")
        self._now = self._observation(self._live(commands))
        return self._now

    def observe(self) -> Observation:
        """See Plant."""
        return self._now

    def future(self, hours: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """See Foresight."""
        now = after(self._begin, self._step)
        past = PAST_S // STEP_S
        world = make_world(self.site, self._sky, self._seed, after(now, -past), past + hours * HOUR // STEP_S)
        people = pd.DataFrame(world.people.T, index=world.times, columns=list(self.site.room_ids))
        return world.weather.assign(issued_at=pd.Timestamp(now)), people

    def close(self) -> None:
        """Stop EnergyPlus."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __del__(self) -> None:
        self.close()

    def _live(self, commands: Mapping[str, Command]) -> dict[str, RoomTruth]:
        """15 minutes: people act, then services and EnergyPlus take turns."""
        world, k = self._world()
        now = after(self._begin, self._step)
        told = [commands[room] for room in self.site.room_ids]
        people, outdoor = world.people[:, k], float(world.series("temp_air")[k])
        wind = float(world.series("wind_speed")[k])
        positions = np.array([command.shade_position for command in told])
        self._shade = self._people.shades(positions, now, people, self._sun, self._guard.blocked(now, wind))
        airing = self._people.airing(now, people, self._air, outdoor)
        heating = np.array([command.heating_setpoint for command in told])
        cooling = np.array([command.cooling_setpoint for command in told])
        sums = np.zeros((7, len(told)))
        for _ in range(_SUBSTEPS):
            sums += self._turn(heating, cooling, people, float(world.fan[k]), outdoor, airing)
        self._step += 1
        heat, cold, lights, air, sun, valve, damper = sums / _SUBSTEPS
        self._sun, self._served, hours = sun, (valve, cold, damper), STEP_S / HOUR / 1000
        self._seen = world, k
        return {
            room: RoomTruth(
                heat_kwh=float(heat[row]) * hours,
                cooling_kwh=float(cold[row]) * hours,
                lighting_kwh=float(lights[row]) * hours,
                air_temperature=float(air[row]),
                people=float(people[row]),
            )
            for row, room in enumerate(self.site.room_ids)
        }

    def _turn(
        self, heating: Floats, cooling: Floats, people: Floats, fan: float, outdoor: float, airing: Floats
    ) -> Floats:
        """One zone time step.

        (7, R): W drawn, W cooled, W of light, degC, W/m2 on the facade, radiator valve, damper.
        """
        assert self._engine is not None  # noqa: S101  # reset has made it
        services, air = self._services, self._air
        window = self._people.window
        emitted = services.heat(air, heating, outdoor, window)
        removed = services.cool(air, cooling, window)
        supplied = services.ventilate(air, people, fan, outdoor, airing)
        lights = services.light(self._sun, self._shade, people)
        plug = EQUIPMENT * people + STANDBY * np.array([room.area for room in self.site.rooms])
        shade = np.where(self._shade >= 0.5, _SHADE_DOWN, 0.0)
        wish = np.concatenate([emitted, -removed, supplied, plug, people, lights, airing, shade])
        if self._ahead:
            self._ahead -= 1
        else:
            self._air, self._sun = np.split(self._engine.step(wish), 2)
        return np.stack([services.drawn, removed, lights, self._air, self._sun, services.valve, services.damper])

    def _world(self) -> tuple[World, int]:
        number = self._step // _CHUNK
        if number not in self._worlds:
            begin = after(self._begin, number * _CHUNK)
            self._worlds = {number: make_world(self.site, self._sky, self._seed, begin, _CHUNK)}
        return self._worlds[number], self._step % _CHUNK

    def _observation(self, truth: Mapping[str, RoomTruth]) -> Observation:
        now, (world, k) = after(self._begin, self._step), self._seen
        rooms, services = self.site.rooms, self._services
        valve, cooling, damper = self._served
        noise = SENSOR_NOISE * normal(self._seed, "sensor", self._step * 1000 + np.arange(len(rooms)))
        readings = {
            room.id: RoomReading(
                air_temperature=float(self._air[row] + noise[row]),
                co2=float(services.co2[row]),
                presence=float(world.presence[row, k]),
                shade_position=float(self._shade[row]),
                facade_irradiance=float(self._sun[row]),
                radiator_valve=float(valve[row]),
                supply_water=services.water,
                cooling_valve=float(cooling[row] / (room.cooling_power or 1.0)),
                damper=float(damper[row]),
                window_open=float(self._people.window[row]),
            )
            for row, room in enumerate(rooms)
        }
        return Observation(
            time=now,
            rooms=readings,
            outdoor_temperature=float(world.series("temp_air")[k]),
            wind_speed=float(world.series("wind_speed")[k]),
            forecast=self._sky.forecast(now),
            truth=truth,
        )
