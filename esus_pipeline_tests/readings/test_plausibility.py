"""Spikes, stuck values, unit jumps and two logs of one sensor: what is flagged, what is left alone."""

import math

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.frames import RHYTHM
from esus_pipeline.readings import clean
from esus_pipeline.readings.plausibility import MEMORY
from esus_pipeline_tests.readings.house import MINUTE, NOON, STEP, house, raw

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


def lately(values: list[float], point: int, **levels: float) -> list[str]:
    """Flags of readings every five minutes, the last of them just before END; levels in canonical units."""
    rows = raw(*[(point, 300 - 5 * (len(values) - k), value) for k, value in enumerate(values)])
    learned = rhythm(point_id=[point, 61], **{name: [value, value] for name, value in levels.items()})
    return clean(house(), rows, None, END, learned)["quality"].tolist()


def outdoors(celsius: list[float]) -> list[str]:
    return lately([273.15 + value for value in celsius], point=99, level_low=-2.9, level_high=8.9)


def test_a_warm_spell_after_a_cold_month_is_no_other_unit():
    assert set(outdoors([13 + 6 * math.sin(k * math.pi / 144) for k in range(3 * 288)])) == {"good"}
    assert set(outdoors([16 + math.sin(k * math.pi / 144) for k in range(3 * 288)])) == {"good"}  # never usual again


def test_a_tenth_proves_nothing_of_levels_around_zero():
    assert "unit_jump" not in outdoors([5.0, 5.2, 5.0, 49.0, 49.1, 49.2, 49.1])


def test_a_slow_rise_is_no_other_unit_however_far_it_goes():
    rising = [450 + 20 * k for k in range(227)]
    assert set(lately(rising, point=60, level_low=380, level_high=900)) == {"good"}


def test_another_unit_is_recognised_for_days():
    celsius = [4 + 3 * math.sin(k / 10) for k in range(3 * 288)]
    told = outdoors([value if k < 50 else value * 1.8 + 32 for k, value in enumerate(celsius)])
    assert set(told[:50]) == {"good"}
    assert set(told[52:]) == {"unit_jump"}


def test_a_wind_that_never_changes_is_stuck_and_a_calm_is_not():
    gusts = [4 + k % 7 / 10 for k in range(20)]
    told = lately([*gusts, *[4.2] * 60], point=91)
    assert set(told[:55]) == {"good"}
    assert told.index("stuck") == 20 + 3 * 12
    assert set(told[57:]) == {"stuck"}
    assert set(lately([*gusts, *[0.0] * 288], point=91)) == {"good"}
    assert set(lately([*gusts, *[1.0] * 288], point=91, still_minutes=5)) == {"good"}


def test_what_was_learned_in_calms_does_not_excuse_a_wind_that_never_changes():
    assert lately([4.2] * 60, point=91, still_minutes=600)[-1] == "stuck"


@pytest.mark.parametrize("point", [92, 93])
def test_a_sun_that_never_changes_is_stuck_by_day_and_not_at_night(point):
    assert lately([300.0] * 100, point)[-1] == "stuck"
    assert set(lately([20.0] * 288, point)) == {"good"}
    assert set(lately([300.0] * 60, point)) == {"good"}


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


@pytest.mark.parametrize("hours", [2, 24, 26, 40])
def test_a_unit_jump_is_the_same_with_a_day_and_an_hour_of_history_and_with_all_of_it(hours):
    warm = 13 + 6 * np.sin(np.arange(700) / 30)
    warm[700 - 12 * hours :] += 28
    levels = rhythm(point_id=[70, 61], level_low=[-2.9, 0], level_high=[8.9, 0])
    rows = raw(*[(70, 5 * k - 3450, value) for k, value in enumerate(warm)])
    everything = clean(house(), rows, None, END, levels)
    assert "unit_jump" in set(everything["quality"])
    for back in range(0, 1400, 100):
        start = NOON - back * MINUTE
        recent = clean(house(), rows[rows["timestamp"] >= pd.Timestamp(start - MEMORY)], start, END, levels)
        whole = everything[everything["timestamp"] >= start].reset_index(drop=True)
        pd.testing.assert_frame_equal(whole, recent)
