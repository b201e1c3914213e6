"""The scoring harness: it tells what the judgement told poll by poll, and with few seeds the promises hold."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from esus_pipeline.frames import STEP
from esus_pipeline.instants import microseconds
from esus_pipeline.quality import Heard, bounds, judge
from esus_pipeline.site import load_site
from esus_pipeline.site.point import Point
from esus_pipeline_tests.score import plausibility, silence
from esus_pipeline_tests.score.inject import Event, strike
from esus_pipeline_tests.score.worlds import OU44, POLL, World, ou44, polled, with_points

START = pd.Timestamp(datetime(2026, 3, 3, tzinfo=UTC)).as_unit("us")


def at(hour: float) -> pd.Timestamp:
    """So many hours after the start of the scored span."""
    return START + timedelta(hours=hour)


def point(id_: int, path: str) -> Point:
    return Point(id=id_, path=f"{path}{id_}", room="1.213", quantity="air_temperature", unit="degC", role="measurement")


def test_the_score_tells_what_the_judgement_told_at_every_poll_and_a_delivered_delay_is_no_outage():
    points = tuple(point(k, "/A/t") for k in range(1, 7))
    site = with_points(load_site("tmv23"), points)
    stamps = pd.date_range(at(-24), at(14), freq="5min", inclusive="left", unit="us")
    raw = pd.concat([pd.DataFrame({"point_id": p.id, "timestamp": stamps, "value": 21.0}) for p in points])
    raw["received_at"] = raw["timestamp"]
    world = World("small", site, polled(raw), at(0).to_pydatetime(), at(14).to_pydatetime())
    delayed, lost = Event(False, "controller", site.point_ids, at(6), at(9)), Event(True, "point", (1,), at(7), at(14))
    arrived, _ = strike(world.scored, [delayed, lost])
    limits, ends = bounds(site), pd.date_range(at(0), at(14), freq=STEP, inclusive="right", unit="us")

    known, live = pd.concat([world.training, arrived]), []
    for end in ends:
        heard = known[known["received_at"] <= end + POLL].assign(quality="good")
        judged = Heard(site.point_ids, heard, pd.Series(dtype="datetime64[us, UTC]"))
        live.append(judge(site, judged, limits, (end - STEP).to_pydatetime(), end.to_pydatetime()))
    pd.testing.assert_frame_equal(silence.lived(world, limits, arrived), pd.concat(live, ignore_index=True))

    rung = silence.alarms(world, limits, arrived)
    notices = rung[rung["rule"] == "ours_notice"].set_index("who")["noticed"]
    assert {who: pd.Timestamp(noticed, unit="us", tz=UTC) for who, noticed in notices.items()} == {
        "A": at(7),  # its newest readings are an hour old
        1: at(9.5),  # more than two hours behind the others, which have come, a quarter of an hour ago
    }


def test_an_alarm_of_a_controller_is_held_to_the_points_that_it_names_and_strictly_to_the_controller():
    site = with_points(load_site("tmv23"), tuple(point(k, "/A/t") for k in range(1, 5)))
    world = World("small", site, pd.DataFrame(), at(0).to_pydatetime(), at(24).to_pydatetime())
    lost = pd.DataFrame({"point_id": [1], "start": [at(6)], "end": [at(12)], "lost": [True], "scope": ["point"]})
    since, noticed, until = (int(microseconds(pd.DatetimeIndex([at(hour)]))[0]) for hour in (6, 8, 11))
    rung = pd.DataFrame(
        [("ours_notice", "A", since, noticed, until, named) for named in [(1,), (2,), ()]],
        columns=[*silence.COLUMNS, "named"],
    )
    verdicts = silence._verdicts(world, lost, rung)
    assert verdicts["lost"].to_list() == [False] * 3
    assert verdicts["lost_said"].to_list() == [True, False, False]
    for row, found in [(0, True), (1, False), (2, False)]:
        hits = silence._detected(world, bounds(site), lost, rung.iloc[[row]]).set_index("rule")
        assert pd.notna(hits.loc["ours_notice", "delay_hours"]) == found
    together = lost.assign(scope="controller")
    assert silence._verdicts(world, together, rung)["lost"].all()
    assert silence._detected(world, bounds(site), together, rung.iloc[[2]])["delay_hours"].notna().any()


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
