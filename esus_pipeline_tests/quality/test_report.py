"""`esus quality`: what it names, and that nothing in it can become markup."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from esus_pipeline.archive import Archive
from esus_pipeline.cli import main
from esus_pipeline.frames import CLEAN_SERIES, GAP, POINT_STATE
from esus_pipeline.quality import Walk
from esus_pipeline.quality.command import since
from esus_pipeline.quality.report import quality_page, quality_report, quality_words
from esus_pipeline.site import load_site
from esus_pipeline.site.alerting import Alerting
from esus_pipeline.site.point import Point
from esus_pipeline_tests.quality.test_states import DAY, hours, readings, without
from esus_pipeline_tests.score.worlds import with_points

EVIL = "<script>alert(1)</script>"


def test_a_silent_point_is_named_with_its_gap_and_its_name_is_escaped(tmp_path):
    points = [
        Point(id=k, path=f"/A/{EVIL}{k}", room="1.213", quantity="air_temperature", unit="degC", role="measurement")
        for k in range(1, 7)
    ]
    points.append(Point(id=9, path="/A/switch", room="1.213", quantity="light_on", unit="bool", role="command"))
    dead = Alerting.model_validate({"known_dead": [{"points": [3], "reason": "broken since May"}]})
    site = with_points(load_site("tmv23"), tuple(points)).model_copy(update={"alerts": dead})
    archive = Archive(tmp_path)
    rows = readings(site, DAY, DAY + hours(24))
    rows = without(rows, {9}, DAY, DAY + hours(24))  # nobody has touched the switch
    archive.merge(CLEAN_SERIES, without(rows, {2, 3}, DAY + hours(6), DAY + hours(24)))
    states, gaps = Walk(archive.read, site).judge(DAY, DAY + hours(24))
    archive.replace(POINT_STATE, states, DAY, DAY + hours(24))
    archive.merge(GAP, gaps)
    report = quality_report(archive.read, site, DAY, DAY + hours(24), [("window_open of 1.213 (9)", "never said open")])
    words = quality_words(report)
    assert "1 of 7 points need attention at 2026-03-11 00:00 UTC: 4 current, 1 silent by nature, 2 missing." in words
    assert "need no attention (1)" in words
    assert "known dead: broken since May" in words
    assert "2026-03-10 05:55" in words
    assert "still silent" in words
    assert "never said open" in words
    late = states.assign(controller_late_minutes=1000.0, bound_minutes=2000.0).assign(age_minutes=1000.0)
    late.loc[late["point_id"] == 2, "bound_minutes"] = 30.0
    archive.replace(POINT_STATE, late, DAY, DAY + hours(24))
    [controller] = quality_report(archive.read, site, DAY, DAY + hours(24)).controllers.to_dict("records")
    assert controller["or only points"] == "2"
    page = quality_page(report)
    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_since_takes_spans_and_instants_and_says_so_otherwise():
    now = datetime(2026, 3, 10, tzinfo=UTC)
    assert since("7d", now) == now - timedelta(days=7)
    assert since("2026-03-09T12:00", now) == now - timedelta(hours=12)
    with pytest.raises(ValueError, match="7d"):
        since("soon", now)


def test_the_command_says_when_nothing_was_judged(tmp_path):
    done = CliRunner().invoke(main, ["quality", "--since", "1d"], env={"ESUS_DATA_DIR": str(tmp_path)})
    assert done.exit_code == 0
    assert "No window of this time was judged" in done.output
