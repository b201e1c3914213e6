"""A room that follows a known model exactly: six weeks of weather, sun, people, a thermostat and a shade rule."""

from datetime import UTC, datetime

import numpy as np

from esus_pipeline.control.model import History, RoomModel, discretise

START = datetime(2026, 3, 2, tzinfo=UTC)


def lived(truth: RoomModel, days: int = 28, *, shade_moves: bool = True, noise: float = 0.03, seed: int = 1) -> History:
    """What a room with this model would have reported, its temperature read with noise (K)."""
    rng = np.random.default_rng(seed)
    steps = days * 96
    hour = np.arange(steps) / 4 % 24
    day = np.arange(steps) // 96
    daily = lambda low, high: rng.uniform(low, high, days)[day]  # noqa: E731
    outdoor = daily(0, 9) + daily(2, 5) * np.sin(2 * np.pi * (hour - 9) / 24)
    sun = np.maximum(np.sin(2 * np.pi * (hour - 6) / 24), 0) * daily(100, 2200)
    shade = np.where((sun > 900) & (day % 3 != 0), 1.0, 0.0) if shade_moves else np.zeros(steps)
    work = (day % 7 < 5) & (hour > 7) & (hour < 16)
    people = np.where(work, rng.integers(0, 5, days * 8)[np.arange(steps) // 12], 0).astype(float)
    damper = np.where(work, 0.15 + 0.15 * people, 0.0)
    history = History(
        room=truth.room,
        start=START,
        air=np.zeros(steps),
        outdoor=outdoor,
        gain_open=sun,
        gain_shaded=0.15 * sun,
        shade=shade,
        people=people,
        valve=np.zeros(steps),
        water=np.full(steps, 50.0),
        damper=damper,
        supply_air=np.full(steps, 18.0),
        window_open=np.zeros(steps),
        cooling=np.zeros(steps),
    )
    setpoint = np.where(work, 21.5, np.where(day % 2 == 0, 19.0, 20.5))
    state, radiator, rest = np.array([21.0, 21.0]), 0.0, truth.radiator_rest(900)
    for step in range(steps):
        before = state[0]
        history.valve[step] = np.clip(0.6 * (setpoint[step] - state[0]), 0, 1)
        radiator = rest * radiator + (1 - rest) * truth.radiator_conductance(history.valve[step])
        supply = truth.supply_air_conductance(damper[step])
        keep, push = discretise(truth, 900, radiator + supply)
        heat = radiator * history.water[step] + supply * history.supply_air[step]
        gain = truth.sun(sun[step], history.gain_shaded[step], shade[step])
        state = keep @ state + push @ np.array([outdoor[step], heat, gain, people[step], 1.0])
        history.air[step] = (before + state[0]) / 2
    history.air[:] += noise * rng.standard_normal(steps)
    return history
