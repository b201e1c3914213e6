"""Whose readings say how far a controller has delivered, and that its outage is nobody else's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.alerts import Look, point_conditions
from esus_pipeline.alerts.reconcile import Policy, reconcile
from esus_pipeline.alerts.state import Kind, Message
from esus_pipeline.alerts.state import State as Told
from esus_pipeline.archive import Archive
from esus_pipeline.frames import CLEAN_SERIES, CONTROLLER_RHYTHM, RAW_BMS_READINGS, RHYTHM, STEP
from esus_pipeline.quality import State, Walk, new_versions, suspects
from esus_pipeline.site import Site, load_site
from esus_pipeline.site.alerting import Alerting
from esus_pipeline.site.point import Point
from esus_pipeline_tests.score.worlds import with_points

START = datetime(2026, 3, 2, tzinfo=UTC)
LEARNED = START + timedelta(days=28)
DAY = LEARNED + timedelta(days=1)
"""The first day that is judged by what was learned."""
END = DAY + timedelta(days=1)
TEMPERATURE = ("air_temperature", "degC", "measurement")
SETPOINT = ("heating_setpoint", "degC", "setpoint")


def site_of(*kinds: tuple[str, str, str], dead: tuple[int, ...] = ()) -> Site:
    """One controller with points 1, 2, ... of these quantities, units and roles."""
    points = [
        Point(id=k, path=f"/A/{k}", room="1.213", quantity=quantity, unit=unit, role=role)
        for k, (quantity, unit, role) in enumerate(kinds, start=1)
    ]
    known = [{"points": dead, "reason": "broken"}] if dead else []
    alerts = Alerting.model_validate({"known_dead": known})
    return with_points(load_site("tmv23"), tuple(points)).model_copy(update={"alerts": alerts})


def every(minutes: int, start: datetime = START, end: datetime = END) -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=f"{minutes}min", inclusive="left", unit="us")


def fill(archive: Archive, site: Site, stamps: dict[int, pd.DatetimeIndex]) -> None:
    """The readings of each point at its stamps, raw and clean; they arrive at the next quarter of an hour."""
    parts = [
        pd.DataFrame(
            {"point_id": p.id, "room": p.room, "quantity": p.quantity, "unit": p.unit, "timestamp": stamps[p.id]}
        )
        for p in site.points
        if p.id in stamps
    ]
    rows = pd.concat(parts, ignore_index=True)
    value = 20 + np.arange(len(rows)) % 7 / 10
    archive.merge(CLEAN_SERIES, CLEAN_SERIES.conform(rows.assign(value=value, quality="good")))
    received = rows["timestamp"].dt.ceil("15min")
    archive.merge(RAW_BMS_READINGS, RAW_BMS_READINGS.conform(rows.assign(value=value, received_at=received)))


def learn_from(archive: Archive, site: Site) -> None:
    rhythm, controllers = new_versions(archive.read, site, LEARNED)
    archive.merge(RHYTHM, rhythm)
    archive.merge(CONTROLLER_RHYTHM, controllers)


def state_at(archive: Archive, site: Site, end: datetime) -> pd.Series:
    """States of the window that ends then, by point."""
    return Walk(archive.read, site).judge(end - STEP, end)[0].set_index("point_id")["state"]


def told(site: Site, states: pd.DataFrame) -> list[Message]:
    """Messages of a day, digests apart, with a look at the states after every window."""
    state, policy, messages = Told(), Policy(site.zone, site.alerts), []
    for window, rows in states.groupby("window"):
        look = Look.of(point_conditions(site, rows), ())
        state, new = reconcile(state, look, window.to_pydatetime() + STEP, policy)
        messages += [message for message in new if message.kind is not Kind.DIGEST]
    return messages


def test_two_live_sensors_speak_for_a_controller_with_old_setpoints(tmp_path):
    site, archive = site_of(TEMPERATURE, TEMPERATURE, SETPOINT, SETPOINT, SETPOINT), Archive(tmp_path)
    fill(archive, site, {1: every(5), 2: every(5), **dict.fromkeys((3, 4, 5), every(5)[:1])})
    for learned in (False, True):
        if learned:
            learn_from(archive, site)
        states, _ = Walk(archive.read, site).judge(DAY, DAY + timedelta(hours=6))
        assert set(states.loc[states["point_id"] <= 2, "state"]) == {State.CURRENT}
        assert set(states.loc[states["point_id"] > 2, "state"]) == {State.SILENT_BY_NATURE}
        assert told(site, states) == []


def test_two_of_four_sensors_lost_are_two_lost_points_from_the_first_hours_to_weeks_later(tmp_path):
    for lost in (DAY + timedelta(hours=2), DAY - timedelta(days=10), DAY - timedelta(days=40)):
        site, archive = site_of(*[TEMPERATURE] * 4, *[SETPOINT] * 10), Archive(tmp_path / f"{lost:%m%d}")
        first = lost - timedelta(days=2)
        stamps = {1: every(5), 2: every(5), 3: every(5, min(START, first), lost), 4: every(5, min(START, first), lost)}
        fill(archive, site, stamps | {k: every(5)[:1] for k in range(5, 15)})
        before, _ = new_versions(archive.read, site, START)
        archive.merge(RHYTHM, before)  # else nothing that ended before the training would be known
        learn_from(archive, site)
        states = state_at(archive, site, DAY + timedelta(hours=12))
        assert states[[1, 2]].to_list() == [State.CURRENT] * 2
        assert states[[3, 4]].to_list() == [State.MISSING] * 2
        assert set(states.loc[5:]) == {State.SILENT_BY_NATURE}


def test_the_last_sensor_that_lives_speaks_for_its_controller_once_the_others_were_learned_to_be_lost(tmp_path):
    site, archive = site_of(*[TEMPERATURE] * 5, SETPOINT), Archive(tmp_path)
    lost = every(5, START, START + timedelta(days=20))
    fill(archive, site, {1: every(5), **dict.fromkeys((2, 3, 4, 5), lost), 6: every(5)[:1]})
    learn_from(archive, site)
    states = state_at(archive, site, DAY + timedelta(hours=6))
    assert states.to_list() == [State.CURRENT, *[State.MISSING] * 4, State.SILENT_BY_NATURE]


def test_points_known_dead_and_points_never_heard_are_no_witnesses(tmp_path):
    quiet = every(5, DAY - timedelta(hours=30), DAY - timedelta(hours=20))
    for name, dead, others in [("dead", (3, 4, 5, 6), quiet), ("never", (), None)]:
        site, archive = site_of(*[TEMPERATURE] * 6, SETPOINT, dead=dead), Archive(tmp_path / name)
        heard = {} if others is None else dict.fromkeys((3, 4, 5, 6), others)
        live = every(5, DAY - timedelta(hours=30))
        fill(archive, site, {1: live, 2: live, **heard, 7: live[:1]})
        states = state_at(archive, site, DAY + timedelta(hours=6))
        assert states[[1, 2, 7]].to_list() == [State.CURRENT] * 2 + [State.SILENT_BY_NATURE]


def test_where_no_silence_says_anything_whoever_speaks_speaks_for_the_controller(tmp_path):
    site, archive = site_of(*[SETPOINT] * 5), Archive(tmp_path)
    fill(archive, site, {1: every(15), **dict.fromkeys((2, 3, 4), every(5)[:1])})
    assert set(state_at(archive, site, DAY + timedelta(hours=6))) == {State.SILENT_BY_NATURE}
    learn_from(archive, site)
    assert set(state_at(archive, site, DAY + timedelta(hours=6))) == {State.SILENT_BY_NATURE}


def test_six_hours_lost_of_a_controller_of_sixty_points_are_told_once_and_ended_once(tmp_path):
    site, archive = site_of(*[TEMPERATURE] * 59, SETPOINT), Archive(tmp_path)
    draw = np.random.default_rng(1)
    stamps = {k: every(15) for k in range(1, 21)} | {60: every(5)[:1]}
    for k, mean in enumerate(np.linspace(20, 120, 39, dtype=int), start=21):  # minutes, at changes of value
        minutes = np.cumsum(draw.gamma(6, mean / 6, 30 * 24 * 60 // mean * 2)).round()
        spoken = pd.DatetimeIndex(pd.Timestamp(START) + pd.to_timedelta(minutes, unit="min")).as_unit("us")
        stamps[k] = spoken[spoken < END].unique()
    gone, back = DAY + timedelta(hours=5), DAY + timedelta(hours=11)
    fill(archive, site, {k: each[(each < gone) | (each >= back)] for k, each in stamps.items()})
    learn_from(archive, site)
    states, _ = Walk(archive.read, site).judge(DAY, END)
    start, end = told(site, states)
    assert (start.kind, end.kind) == (Kind.START, Kind.END)
    assert start.title.startswith("controller A is late")
    assert end.title.startswith("controller A is late")
    assert set(states.loc[states["point_id"] == 60, "state"]) <= {State.SILENT_BY_NATURE, State.LATE}
    for clock in (11.5, 13, 16, 23):  # judged live, window by window
        until = DAY + timedelta(hours=clock)
        live, _ = Walk(archive.read, site).judge(until - STEP, until)
        whole = states[states["window"] == pd.Timestamp(until - STEP)].reset_index(drop=True)
        pd.testing.assert_frame_equal(live, whole)
        assert (whole["bound_minutes"].dropna() > 0).all()


def test_a_controller_that_is_late_may_be_one_lost_point_of_it_and_the_message_names_that_point(tmp_path):
    quick, slow = timedelta(minutes=30), timedelta(hours=24)
    site = site_of(*[TEMPERATURE] * 5, SETPOINT, dead=(5,))
    kinds = dict.fromkeys((1, 2), quick) | dict.fromkeys((3, 4), slow)
    points = [p.model_copy(update={"max_silence": kinds.get(p.id, p.max_silence)}) for p in site.points]
    site = with_points(site, tuple(points)).model_copy(update={"alerts": site.alerts})
    lost = DAY + timedelta(hours=6)
    dead = every(5, end=lost - timedelta(hours=1))
    others = {2: every(5), 3: every(12 * 60), 4: every(12 * 60), 5: dead, 6: every(5)[:1]}
    alone, both = Archive(tmp_path / "alone"), Archive(tmp_path / "both")
    fill(alone, site, others | {1: every(5, end=lost)})
    fill(both, site, others | {1: every(5, end=lost), 2: every(5, end=lost)})
    states, _ = Walk(alone.read, site).judge(DAY, lost + timedelta(hours=2))
    [start] = told(site, states)
    assert start.title.startswith("controller A is late, or only its point 1: the others keep to their rhythm")
    [entry] = start.sections[0].entries
    assert entry.details[-1].startswith("air_temperature of 1.213 (point 1): newest reading")
    assert entry.advice.startswith("Look at what is named first")
    assert suspects(site, states[states["window"] == states["window"].min()]) == ()  # in time
    states, _ = Walk(both.read, site).judge(DAY, lost + timedelta(hours=2))
    assert suspects(site, states[states["window"] == states["window"].max()]) == ()  # two of four should have spoken
    assert told(site, states)[0].title.startswith("controller A is late (provisional")


def test_a_point_lost_for_long_explains_no_lateness_of_its_controller(tmp_path):
    site, archive = site_of(*[TEMPERATURE] * 4), Archive(tmp_path)
    fill(archive, site, dict.fromkeys((2, 3, 4), every(5, end=DAY)) | {1: every(5, end=DAY - timedelta(days=3))})
    rows, _ = Walk(archive.read, site).judge(DAY + timedelta(minutes=75), DAY + timedelta(minutes=90))
    assert rows["age_minutes"].max() > 48 * 60
    assert (rows["controller_late_minutes"] > rows["controller_bound_minutes"]).all()
    assert suspects(site, rows) == ()


def test_a_point_that_does_not_come_back_with_its_controller_is_told_by_itself(tmp_path):
    site, archive = site_of(*[TEMPERATURE] * 6), Archive(tmp_path)
    gone, back = DAY + timedelta(hours=5), DAY + timedelta(hours=11)
    speaking = every(5)[(every(5) < gone) | (every(5) >= back)]
    fill(archive, site, {**dict.fromkeys(range(1, 6), speaking), 6: speaking[speaking < gone]})
    learn_from(archive, site)
    states, _ = Walk(archive.read, site).judge(DAY, END)
    assert [message.kind for message in told(site, states)] == [Kind.START, Kind.END, Kind.START]
    silent = states[(states["point_id"] == 6) & states["state"].isin([State.LATE, State.MISSING])]
    own = silent[silent["controller_late_minutes"] < 60]
    assert own["window"].min() <= back + timedelta(hours=1)
    assert 390 <= own["bound_minutes"].iloc[0] <= 405  # six hours out, and half an hour of its own


def test_a_controller_whose_points_keep_silent_all_night_is_late_only_after_more_than_a_night(tmp_path):
    night, steady = site_of(*[TEMPERATURE] * 3), site_of(*[TEMPERATURE] * 6).points[3:]
    other = tuple(p.model_copy(update={"path": f"/B/{p.id}"}) for p in steady)
    site = with_points(night, (*night.points, *other))
    day = every(10)[(every(10).hour >= 8) & (every(10).hour < 16)]
    stamps = dict.fromkeys((1, 2, 3), day[day < DAY]) | dict.fromkeys((4, 5, 6), every(5))
    archive = Archive(tmp_path / "history")
    fill(archive, site, stamps)
    learn_from(archive, site)
    assert set(state_at(archive, site, DAY + timedelta(hours=8))) == {State.CURRENT}
    assert set(state_at(archive, site, END)[[1, 2, 3]]) == {State.MISSING}


def test_an_outage_of_a_controller_teaches_it_no_lateness(tmp_path):
    site, archive = site_of(*[TEMPERATURE] * 6), Archive(tmp_path)
    other = tuple(p.model_copy(update={"path": f"/B/{p.id}"}) for p in site.points[3:])
    site = with_points(site, (*site.points[:3], *other))
    out = (every(5) >= START + timedelta(days=9)) & (every(5) < START + timedelta(days=10))
    fill(archive, site, dict.fromkeys((1, 2, 3), every(5)[~out]) | dict.fromkeys((4, 5, 6), every(5)))
    _, controllers = new_versions(archive.read, site, LEARNED)
    assert controllers["bound_minutes"].to_list() == [60, 60]
