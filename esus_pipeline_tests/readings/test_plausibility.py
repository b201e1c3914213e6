"""Spikes, stuck values, unit jumps and two logs of one sensor: what is flagged, what is left alone."""

import numpy as np
import pandas as pd

from esus_pipeline.frames import RHYTHM
from esus_pipeline.readings import clean
from esus_pipeline_tests.readings.house import NOON, STEP, house, raw

END = NOON + 20 * STEP


def flags(values: list[float], point: int = 70, every: float = 5, rhythm: pd.DataFrame | None = None) -> list[str]:
    rows = raw(*[(point, k * every, value) for k, value in enumerate(values)])
    return clean(house(), rows, None, END, rhythm)["quality"].tolist()


def rhythm(**columns: object) -> pd.DataFrame:
    rows = pd.DataFrame({name: [None, None] for name in RHYTHM.schema.names}).assign(
        valid_from=pd.Timestamp(NOON), kind="periodic", point_id=[60, 61], gaps=[900, 300]
    )
    rows["newest"] = pd.to_datetime(rows["newest"], utc=True)
    return RHYTHM.conform(rows.assign(**columns))


WAVE = [21 + k % 3 / 10 for k in range(9)]


def test_a_spike_of_one_reading_or_two_is_flagged_and_the_return_is_not():
    assert flags([*WAVE, 24.5, *WAVE]) == ["good"] * 9 + ["spike"] + ["good"] * 9
    assert flags([*WAVE, 24.5, 24.6, *WAVE])[:10] == ["good"] * 9 + ["spike"]


def test_a_step_that_three_readings_of_a_window_confirm_is_no_spike():
    assert set(flags([*WAVE, 24.5, 24.6, 24.5])) == {"good"}
    down = flags([24.5 - value + 21 for value in WAVE] + [21.0, 20.9, 21.0])
    assert set(down) == {"good"}


def test_readings_of_the_next_window_confirm_nothing():
    assert flags([*WAVE, 21.1, 24.5, 24.6, 24.5, 24.6])[9:] == ["good", "spike", "good", "good", "good"]


def test_a_verdict_does_not_change_when_the_next_window_comes():
    values = [*WAVE, 21.1, 24.5, 24.6, 24.5, 21.0]
    for windows in range(3, len(values) // 3):
        assert flags(values[: 3 * windows]) == flags(values)[: 3 * windows]


def test_a_fast_but_steady_rise_is_no_spike():
    assert set(flags([500 + 60 * k for k in range(20)], point=60)) == {"good"}


def test_a_stuck_sensor_is_flagged_when_it_was_never_so_still():
    values = [500 + k % 5 for k in range(12)] + [503.0] * 60
    told = flags(values, point=60, rhythm=rhythm(still_minutes=[0.0, 0.0]))
    first = told.index("stuck")
    assert (first - 12) * 5 in (115, 120)
    assert set(told[first:]) == {"stuck"}
    assert set(flags(values, point=60, rhythm=rhythm(still_minutes=[200.0, 0.0]))) == {"good"}


def test_another_unit_is_recognised_by_the_usual_levels():
    levels = rhythm(level_low=[380.0, 380.0], level_high=[900.0, 900.0])
    told = flags([450, 460, 455, 450, 4550, 4500, 4520, 450], point=60, rhythm=levels)
    assert told[4:] == ["unit_jump", "unit_jump", "unit_jump", "rate"]
    alone = flags([450, 460, 455, 450, 460, 4550, 4500, 450], point=60, rhythm=levels)
    assert alone[5:] == ["rate", "unit_jump", "rate"]  # the second belongs to the next window
    assert flags([450, 460, 455, 450, 900, 1200, 1500], point=60, rhythm=levels)[-1] != "unit_jump"


def test_of_two_logs_that_disagree_the_less_busy_one_is_flagged():
    fine = [(60, 5 * k, 500 + k % 3) for k in range(24)]
    coarse = [(61, 15 * k + 1, 500 if k < 4 else 1100) for k in range(8)]
    told = clean(house(), raw(*fine, *coarse), None, END, rhythm()).set_index("point_id")["quality"]
    assert set(told[60]) == {"good"}
    assert told[61].tolist()[:4] == ["good"] * 4
    assert set(told[61].tolist()[5:]) == {"disagrees"}


def test_a_verdict_is_the_same_with_a_day_and_an_hour_of_history_and_with_all_of_it():
    chance = np.random.default_rng(3)
    values = 21 + np.cumsum(chance.normal(0, 0.2, 1200)).round(1) % 5
    values[600:900] = values[600]
    rows = raw(*[(70, 5 * k - 3600, value) for k, value in enumerate(values)])
    everything = clean(house(), rows, NOON, END)
    recent = clean(house(), rows[rows["timestamp"] >= pd.Timestamp(NOON) - pd.Timedelta(hours=25)], NOON, END)
    pd.testing.assert_frame_equal(everything, recent)
