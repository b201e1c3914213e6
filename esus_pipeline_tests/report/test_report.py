import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from esus_pipeline.control import PlanInputs, decide, make_plan, trace_frame
from esus_pipeline.control.model.occupancy import forecast
from esus_pipeline.control.model.occupancy_table import to_frame
from esus_pipeline.report import plan_page, plan_plot, plan_words
from esus_pipeline.site import load_site
from esus_pipeline_tests.control import cases
from esus_pipeline_tests.control.cases import at

TMV23 = load_site("tmv23")
AS_OF = at("2026-06-16T04:00")
INPUTS = cases.inputs(TMV23, AS_OF, mean=17)
PLAN = make_plan(INPUTS)
HISTORY = pd.concat(
    pd.DataFrame(
        {
            "room": name,
            "timestamp": pd.date_range(AS_OF - timedelta(hours=8), periods=32, freq="15min"),
            "air_temperature": np.r_[np.linspace(21, 22, 20), np.full(4, np.nan), np.linspace(22, 22.4, 8)],
        }
    )
    for name in TMV23.room_ids
)

PEOPLE = to_frame(forecast({}, {}, TMV23, pd.date_range(AS_OF, periods=192, freq="15min")), AS_OF)


class Outline(HTMLParser):
    """Elements with attributes, the text, and whether every element is closed in order."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    return plan_page(TMV23, PLAN, INPUTS.gains, INPUTS.forecast, HISTORY, people=PEOPLE)


@pytest.fixture(scope="module")
def page(html: str) -> Outline:
    return Outline(html)


def test_the_page_is_one_small_well_formed_document(html, page):
    assert page.open == []
    assert len(html.encode()) < 300_000
    assert html.lstrip().startswith("<!doctype html>")
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(html, page):
    names = {name for name, _ in page.elements}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "image", "use"})
    attributes = {key for _, attrs in page.elements for key in attrs}
    assert attributes.isdisjoint({"src", "href", "style", "xlink:href"})
    assert not [key for key in attributes if key.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html


def test_the_content_policy_allows_the_pages_own_style_and_nothing_else(html, page):
    policy = next(attrs["content"] for name, attrs in page.elements if attrs.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_every_room_has_a_card_with_its_reasons_in_local_time(page):
    assert "made Tue 16 June 2026, 06:00" in page.text
    assert "Forecast: open-meteo, issued 05:00, 1.0 h old." in page.text
    for name in TMV23.room_ids:
        assert f"Room {name}" in page.text
    assert page.text.count("08:30\N{EN DASH}17:45") == 3
    assert "10.3\N{NO-BREAK SPACE}kWh by 19:15 would lift 1.213 to 31.6\N{NO-BREAK SPACE}°C" in page.text
    assert page.text.count("open until 08:30") == 3


def test_every_chart_has_a_title_and_a_description_that_are_referred_to(page):
    charts = [attrs for name, attrs in page.elements if attrs.get("role") == "img"]
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(charts) == len(TMV23.rooms)
    assert len(ids) == len(set(ids))
    for attrs in charts:
        assert set(attrs["aria-labelledby"].split()) <= set(ids)


def test_the_shade_bar_stands_where_the_plan_closes(page):
    bars = [attrs for name, attrs in page.elements if name == "rect" and attrs.get("class") == "shade" and "x" in attrs]
    left, right, hours = 54, 354, 42
    first = bars[0]
    assert float(first["x"]) == pytest.approx(left + (6 + 2.5) / hours * (right - left), abs=0.1)
    assert float(first["width"]) == pytest.approx(9.25 / hours * (right - left), abs=0.15)


def test_the_people_expected_are_drawn_with_their_band(page):
    bands = [attrs["d"] for name, attrs in page.elements if name == "path" and attrs.get("class") == "crowd"]
    assert len(bands) == len(TMV23.room_ids)
    assert len(set(bands)) > 1  # rooms of different size
    assert "no forecast" not in page.text
    without = Outline(plan_page(TMV23, PLAN)).text
    assert without.count("no forecast") == len(TMV23.room_ids)


def test_a_gap_in_the_measured_past_is_a_gap_in_its_line(page):
    lines = [attrs["d"] for name, attrs in page.elements if name == "path" and attrs.get("class") == "measured"]
    assert lines[1].count("M") == 2


def test_no_number_on_the_page_is_missing_or_outside_its_chart(html, page):
    assert "nan" not in html.lower()
    for name, attrs in page.elements:
        if name == "path":
            points = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", attrs["d"])
            assert all(0 <= float(x) <= 360 and 0 <= float(y) <= 360 for x, y in points)


def test_what_comes_from_the_site_and_the_plan_is_escaped():
    site = TMV23.model_copy(update={"title": '<script>"x"</script>&'})
    plan = PLAN.assign(reason="<b>hot</b> & sunny")
    for text in (plan_page(site, plan), plan_plot(site, plan)):
        assert "<script" not in text
        assert "<b>" not in text
    assert "&lt;b&gt;hot&lt;/b&gt; &amp; sunny" in plan_page(site, plan)


def test_the_trace_of_each_decision_is_folded_away_on_its_card():
    windy = cases.inputs(TMV23, at("2026-06-16T10:00"), mean=17, wind=14.0)
    decided = decide(windy)
    text = plan_page(TMV23, decided.schedule, windy.gains, trace=trace_frame(decided.trace))
    page = Outline(text)
    assert page.open == []
    assert len([1 for name, attrs in page.elements if name == "details" and attrs == {"class": "trace"}]) == 6
    first = text[text.index('<details class="trace">') : text.index("</article>")]
    words = " ".join(re.sub("<[^>]+>", " ", first).split())
    assert "told open; closed was wanted" in words
    assert "expires Tue 13:00" in words
    assert "tuned rule: there is no optimum of the last hour" in words
    assert "open wind, won open: wind over the limit" in words
    assert re.search(r"closed close \w+ \w+ closed: ", words)
    assert "wind, measured 2.0 m/s 10 min" in words
    assert "optimum not known" in words


def test_words_tell_who_asked_for_what_and_on_which_inputs():
    windy = replace(INPUTS, rooms=cases.rooms(TMV23, 22.0, wind=14.0))
    decided = decide(windy)
    text = plan_words(TMV23, decided.schedule, AS_OF, trace_frame(decided.trace))
    assert all(len(line) <= 79 for line in text.splitlines())
    told = " ".join(text.split("1.217: how the shade was decided")[1].split("1.229: how")[0].split())
    assert "won wind: open lost open no sun: open told open; wish of tuned rule: there is no optimum" in told
    assert "wind, measured 14.0 m/s (10 min old)" in told
    assert "optimum not known" in told
    assert "how the shade was decided" not in plan_words(TMV23, decided.schedule, AS_OF)


def test_words_and_page_tell_which_log_stood_in_and_traces_stored_before_that_was_told():
    trace = trace_frame(decide(INPUTS).trace)
    air = {"value": 20.8, "age_minutes": 50.0}
    told = [air | {"point": 6397, "stands_in_for": 753499, "because": "out_of_range"}, air, air | {"age_minutes": 4e3}]
    now, before, long_ago = (trace.assign(inputs=json.dumps({"air_temperature_degC": each})) for each in told)
    stood_in = "point 6397 in place of 753499: out of range"
    assert f"20.8 degC (50 min old, {stood_in})" in " ".join(plan_words(TMV23, PLAN, AS_OF, now).split())
    assert stood_in in Outline(plan_page(TMV23, PLAN, trace=now)).text
    assert "20.8 degC (50 min old)" in " ".join(plan_words(TMV23, PLAN, AS_OF, before).split())
    assert "in place of" not in plan_page(TMV23, PLAN, trace=before)
    assert "20.8 degC (3 d old)" in " ".join(plan_words(TMV23, PLAN, AS_OF, long_ago).split())


def test_words_and_page_say_why_the_setpoints_are_what_they_are():
    said = PLAN[PLAN["room"] == "1.213"]["setpoint_reason"].iloc[0]
    told = " ".join(plan_words(TMV23, PLAN, AS_OF).split())
    assert said.startswith("set back to 17.0 .. 29.0 degC: nobody is expected until 08:00")
    assert f"now {said}" in told
    assert said.replace(" degC", "\N{NO-BREAK SPACE}°C") in Outline(plan_page(TMV23, PLAN)).text
    before = PLAN.assign(setpoint_reason=None)
    assert "now set back" not in plan_words(TMV23, before, AS_OF)
    assert "None" not in Outline(plan_page(TMV23, before)).text


def test_a_trace_is_escaped():
    decided = decide(INPUTS)
    odd = trace_frame(decided.trace).assign(
        source="<b>odd</b>",
        losing='[{"rule": "<i>no</i>", "wish": "<i>"}]',
        inputs='{"<u>": {"value": 1, "age_minutes": 2}}',
    )
    text = plan_page(TMV23, PLAN, trace=odd)
    assert not re.search("<(b|i|u)>", text)
    assert "&lt;i&gt;no&lt;/i&gt;" in text


def test_a_plan_made_from_nothing_still_gives_words_a_page_and_a_plot():
    plan = make_plan(PlanInputs(site=TMV23, as_of=AS_OF))
    text = plan_page(TMV23, plan)
    assert "Forecast: none." in Outline(text).text
    assert "no estimate" in text
    assert "not known" in text
    ET.fromstring(plan_plot(TMV23, plan))  # noqa: S314
    assert "safe plan: no weather forecast" in plan_words(TMV23, plan, AS_OF)


def test_a_page_without_rows_of_a_room_is_refused():
    with pytest.raises(ValueError, match=r"no rows of 1\.213"):
        plan_page(TMV23, PLAN[PLAN["room"] != "1.213"])


@pytest.mark.parametrize("moment", ["2026-03-28T20:00", "2026-10-24T12:00"])
def test_the_hours_on_the_axis_are_local_on_both_sides_of_a_clock_change(moment):
    text = plan_page(TMV23, make_plan(cases.inputs(TMV23, at(moment), mean=6)))
    first_chart = text.split("</svg>")[7]
    labels = re.findall(r'class="middle(?: strong)?" x="([\d.]+)" y="[\d.]+">(\w+)<', first_chart)
    assert {label for _, label in labels} <= {"06", "12", "18", "Sat", "Sun", "Mon"}
    place = {label: float(x) for x, label in reversed(labels)}
    hour = 300 / 42
    change = 5 if moment.startswith("2026-03") else 7
    sunday = next(float(x) for x, label in labels if label == "Sun")
    six = next(float(x) for x, label in labels if label == "06" and float(x) > sunday)
    assert six - sunday == pytest.approx(change * hour, abs=0.2)
    assert place


def test_the_plot_is_a_well_formed_picture_without_references():
    text = plan_plot(TMV23, PLAN, INPUTS.gains)
    root = ET.fromstring(text)  # noqa: S314
    names = {element.tag.rsplit("}", 1)[1] for element in root.iter()}
    assert names.isdisjoint({"script", "image", "use", "foreignObject", "a"})
    assert all(name in text for name in TMV23.room_ids)
    assert len(text) < 60_000


def test_words_fit_a_terminal_and_tell_today_only():
    text = plan_words(TMV23, PLAN, AS_OF)
    assert max(map(len, text.splitlines())) <= 79
    assert text.startswith("TMV23, Aalborg University: shades and setpoints from Tue 16 June 2026, 06:00\n")
    assert "Wed" not in text
    assert "  08:30-17:45  closed  lowered at 08:30: the sun reaches the south facade at\n" in text
    assert "  18:00-24:00  open    the sun has left the south facade\n" in text
    assert "  all rooms: 06:00-06:30 17.0 .. 29.0; 07:45-16:00 20.0 .. 26.0; 16:00-24:00\n" in text
    assert text.isascii()


def test_words_tell_tomorrow_too_in_the_evening():
    evening = at("2026-06-16T17:00")
    text = plan_words(TMV23, make_plan(cases.inputs(TMV23, evening, mean=17)), evening)
    assert text.count("  Wed 17 June\n") == len(TMV23.rooms)


def test_words_say_when_no_plan_covers_the_time():
    assert "No plan covers this time." in plan_words(TMV23, PLAN, AS_OF + timedelta(days=3))


def test_partly_lowered_shades_are_told_and_drawn_in_part():
    plan = PLAN.assign(shade_position=np.where(PLAN["shade_position"] > 0, 0.5, 0.0))
    assert "08:30-17:45  50%" in plan_words(TMV23, plan, AS_OF)
    bars = [
        a for n, a in Outline(plan_page(TMV23, plan)).elements if n == "rect" and a.get("class") == "shade" and "x" in a
    ]
    assert {attrs["height"] for attrs in bars} == {"6.0"}


def test_setpoints_that_differ_between_rooms_are_told_apart():
    plan = PLAN.copy()
    plan.loc[plan["room"] == "1.213", "heating_setpoint"] = 19.0
    text = plan_words(TMV23, plan, AS_OF)
    assert "1.215, 1.217, 1.229, 1.231, 1.233: " in text
    assert "  1.213: " in text


def test_a_page_shows_no_other_rooms_and_no_other_times_of_the_inputs():
    late = INPUTS.gains.assign(valid_time=INPUTS.gains["valid_time"] + timedelta(days=9))
    assert "no estimate" in plan_page(TMV23, PLAN, late)
    strangers = replace(INPUTS, gains=INPUTS.gains.assign(room="9.999")).gains
    assert "no estimate" in plan_page(TMV23, PLAN, strangers)


def test_the_reasons_of_a_day_that_begins_soon_are_unfolded():
    def folded(moment: str) -> list[bool]:
        page = Outline(plan_page(TMV23, make_plan(cases.inputs(TMV23, at(moment)))))
        return ["open" not in attrs for name, attrs in page.elements if name == "details"]

    assert folded("2026-06-16T04:00") == [False, True] * 6
    assert folded("2026-06-16T19:00") == [False, False, True] * 6
