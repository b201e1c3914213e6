"""A real Danish building: models learned on one fortnight of its readings, scored on the next."""

from pathlib import Path

import pytest

from esus_pipeline.control.model.recorded import score_recording, table
from esus_pipeline.site import load_site

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "ou44" / "readings.parquet"


@pytest.fixture(scope="module")
def scored():
    if not RECORDING.is_file():
        pytest.skip(f"no recording at {RECORDING}")
    return score_recording(load_site("ou44"), RECORDING)


def test_a_day_ahead_both_rooms_are_predicted_better_than_by_persistence_and_by_a_black_box(scored):
    assert [each.room for each in scored] == ["22-508-1", "22-511-2"]
    for each in scored:
        assert each.score.count[24] > 300
        assert each.score.model[24] < 0.85 * each.score.persistence[24]
        assert each.score.model[24] < 0.8 * each.score.black_box[24]
        assert each.score.model[6] < each.score.persistence[6]
    assert max(each.score.model[24] for each in scored) < 0.95
    assert min(each.score.model[24] for each in scored) < 0.6


def test_closed_blinds_keep_sun_out_and_how_much_is_admitted_to_be_unsure(scored):
    for each in scored:
        low, value, high = each.blind_effect
        assert 0 < value < 1
        assert low < value < high
        assert "k_shaded" in each.learned.model.unknown
    assert "persistence" in table(scored)
