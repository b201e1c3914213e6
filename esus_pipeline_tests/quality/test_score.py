"""The scoring harness with few seeds on the recorded month: the promises hold where they are cheap to check."""

import pytest

from esus_pipeline_tests.score import plausibility, silence
from esus_pipeline_tests.score.worlds import OU44, ou44


@pytest.mark.skipif(not OU44.is_file(), reason="the recorded month is not at hand")
def test_gaps_and_nonsense_are_found_in_weeks_that_nothing_was_learned_from():
    told = silence.score(ou44(), range(3)).set_index(["rule", "quantity"])
    assert told.loc[("ours_loss", "all"), "recall_over_bound"] >= 0.98
    assert told.loc[("ours_loss", "all"), "false_per_week"] <= 1
    assert told.loc[("ours_notice", "all"), "false_per_week"] <= 1
    assert told.loc[("one_hour", "all"), "false_per_week"] > 20
    nonsense = plausibility.score(ou44(), range(2)).set_index(["fault", "quantity"])
    assert (nonsense["recall"] >= 0.9).all()
    assert (nonsense["precision"] >= 0.9).all()  # few seeds: every honest jump of the fortnight weighs more
