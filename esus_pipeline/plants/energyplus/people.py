"""People who do not ask the controller: they open windows when it is warm and move shades that displease them.

Steps of 15 minutes; arrays are (R,). Belongs here: their moods. Does not belong here: when they are there (see world).
"""

from datetime import datetime, timedelta

import numpy as np

from esus_pipeline.frames import STEP
from esus_pipeline.simulator.noise import Floats, uniform
from esus_pipeline.site import Site

DAZZLED = 350.0
"""W/m2 on the facade through an open shade that somebody lowers sooner or later."""
GLOOMY = 60.0
"""W/m2 on the facade behind a lowered shade that somebody raises sooner or later."""
LOWER_CHANCE, RAISE_CHANCE = 0.12, 0.06
"""Per 15 minutes."""
HOLD = timedelta(hours=2)
"""After which, or when everybody has left, the controller has the shade again."""
AIRING = 0.045
"""m3/s through an open window."""


class People:
    """What the people of every room have done to shade and window."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site, self._seed = site, seed
        count = len(site.rooms)
        self.window = np.zeros(count)
        self._hand = np.full(count, np.nan)
        self._until: list[datetime | None] = [None] * count

    def shades(self, told: Floats, now: datetime, people: Floats, sun: Floats, blocked: bool) -> Floats:
        """Positions in the coming step: as told, or as somebody wants it; up in wind, whatever anybody wants."""
        luck = self._draw("shade", now)
        for room in range(len(told)):
            until = self._until[room]
            if until is not None and (now >= until or people[room] == 0):
                self._until[room], self._hand[room] = None, np.nan
            if people[room] == 0 or self._until[room] is not None:
                continue
            if told[room] < 0.5 and sun[room] > DAZZLED and luck[room] < LOWER_CHANCE:
                self._hand[room], self._until[room] = 1.0, now + HOLD
            elif told[room] >= 0.5 and sun[room] < GLOOMY and luck[room] < RAISE_CHANCE:
                self._hand[room], self._until[room] = 0.0, now + HOLD
        stood = np.where(np.isnan(self._hand), told, self._hand)
        return np.zeros(len(told)) if blocked else stood

    def airing(self, now: datetime, people: Floats, air: Floats, outdoor: float) -> Floats:
        """m3/s of outdoor air: a window is opened over a mood's temperature and closed when it has helped."""
        mood = 25.3 + 2.0 * self._draw("window", now.replace(minute=0)) + 0.25 * max(0.0, 16.0 - outdoor)
        opens = (people > 0) & (air > mood) & (outdoor < air)
        stays = (self.window > 0) & (air > 23.0) & (people > 0)
        self.window = (opens | stays).astype(float)
        return AIRING * self.window

    def _draw(self, what: str, now: datetime) -> Floats:
        step = int(now.timestamp() / STEP.total_seconds())
        return uniform(self._seed, f"energyplus/{what}", step * 100 + np.arange(len(self.window)))
