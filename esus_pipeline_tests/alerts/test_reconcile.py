"""Who is told of what, and when: the rules, without a clock and without a network."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esus_pipeline.alerts import Condition, Look, Severity, point_conditions
from esus_pipeline.alerts.reconcile import Policy, reconcile
from esus_pipeline.alerts.state import Kind, Message, State
from esus_pipeline_tests.alerts.house import BIG, NOON, SITE, SMALL, policy, states

TICK = timedelta(minutes=5)


def wrong(key: str, group: str = "", severity: Severity = Severity.WARNING, **more: object) -> Condition:
    return Condition(key, "test", group or key, severity, f"{key} is wrong", "Mend it.", **more)


@dataclass
class Story:
    """Ticks one after another."""

    policy: Policy = field(default_factory=policy)
    now: datetime = NOON
    state: State = field(default_factory=State)
    told: list[tuple[datetime, Message]] = field(default_factory=list)

    def tick(self, *conditions: Condition, blind: tuple[str, ...] = ()) -> list[Message]:
        self.state, messages = reconcile(self.state, Look.of(conditions, blind), self.now, self.policy)
        self.told += [(self.now, message) for message in messages]
        self.now += TICK
        return messages

    def ticks(self, span: timedelta, *conditions: Condition, blind: tuple[str, ...] = ()) -> list[Message]:
        end, messages = self.now + span, []
        while self.now < end:
            messages += self.tick(*conditions, blind=blind)
        return messages

    def kinds(self) -> list[Kind]:
        return [message.kind for _, message in self.told if message.kind is not Kind.DIGEST]


def lines(message: Message) -> list[str]:
    return [entry.summary for section in message.sections for entry in section.entries]


def test_one_message_when_it_starts_one_when_it_ends_and_both_within_a_tick_of_the_state():
    story = Story()
    [start] = story.tick(wrong("a"))
    assert (start.kind, start.title, start.created_at) == (Kind.START, "a is wrong", NOON)
    assert story.ticks(timedelta(hours=5), wrong("a")) == []
    gone = story.now
    [end] = story.ticks(timedelta(hours=1))
    assert (end.kind, end.title) == (Kind.END, "a is wrong")
    assert end.created_at - gone <= timedelta(minutes=15)
    assert story.state.ongoing == story.state.incidents == {}


def test_a_controller_outage_of_sixty_points_is_one_start_and_one_end():
    story = Story()
    for minutes in range(0, 600, 30):  # longer and longer, the last of it beyond the final 8.5 hours
        story.tick(*point_conditions(SITE, states(story.now, {BIG: float(minutes)})))
        story.now += timedelta(minutes=25)
    story.ticks(timedelta(hours=2), *point_conditions(SITE, states(story.now)))
    assert story.kinds() == [Kind.START, Kind.END]
    start, end = story.told[0][1], story.told[-1][1]
    assert (start.group, end.group) == (BIG, BIG)
    assert lines(start) == [f"controller {BIG} is late (provisional: may still come)"]


def test_points_that_stay_silent_after_their_controller_came_back_are_told_then():
    story = Story()
    story.ticks(timedelta(hours=1), *point_conditions(SITE, states(story.now, {BIG: 300.0})))
    left = point_conditions(SITE, states(story.now, p1003="missing", p1004="missing"))
    back = story.now
    story.ticks(timedelta(hours=2), *left)
    kinds = [(message.kind, len(lines(message))) for _, message in story.told]
    assert kinds == [(Kind.START, 1), (Kind.START, 2), (Kind.END, 1)]
    assert story.told[1][0] - back <= timedelta(minutes=15)


def test_a_point_silent_before_its_controller_failed_is_not_called_healed_by_the_failure():
    story = Story()
    story.ticks(timedelta(hours=1), *point_conditions(SITE, states(story.now, p1003="missing")))
    story.ticks(timedelta(hours=3), *point_conditions(SITE, states(story.now, {BIG: 300.0})))
    assert story.kinds() == [Kind.START, Kind.START]


def test_a_quiet_setpoint_and_a_current_point_are_nothing():
    assert point_conditions(SITE, states(NOON)) == []
    assert "silent_by_nature" in set(states(NOON)["state"])


@pytest.mark.parametrize("state", ["late", "missing", "never_reported", "stuck", "implausible"])
def test_every_bad_state_is_a_condition_with_the_point_its_room_and_what_to_do(state):
    [condition] = point_conditions(SITE, states(NOON, p2000=state))
    assert condition.group == SMALL
    assert "wind_speed (point 2000)" in condition.summary
    assert condition.advice
    assert condition.points == (2000,)


def test_late_that_becomes_missing_is_the_same_silence():
    story = Story()
    story.ticks(timedelta(hours=2), *point_conditions(SITE, states(story.now, p2000="late")))
    story.ticks(timedelta(hours=2), *point_conditions(SITE, states(story.now, p2000="missing")))
    assert story.kinds() == [Kind.START]


def test_flutter_is_one_incident():
    story = Story()
    for _ in range(20):
        story.ticks(timedelta(minutes=3), wrong("a"))
        story.ticks(timedelta(minutes=5))
    assert story.kinds() == [Kind.START]


@pytest.mark.parametrize("well", [1, 2, 3])
@pytest.mark.parametrize("bad", [{"behind": {BIG: 100.0}}, {"p1003": "late"}], ids=["controller", "point"])
def test_a_state_that_comes_and_goes_at_the_pace_of_the_windows_is_one_start_at_once_and_one_end(bad, well):
    story = Story()
    for _ in range(96 // (1 + well)):
        story.ticks(timedelta(minutes=15), *point_conditions(SITE, states(story.now, **bad)))
        story.ticks(timedelta(minutes=15 * well))
    assert story.kinds() == [Kind.START]
    assert story.told[0][0] == NOON
    story.ticks(timedelta(hours=1))
    assert story.kinds() == [Kind.START, Kind.END]


def test_what_a_blind_source_told_before_is_neither_over_nor_new():
    story = Story()
    story.tick(wrong("a"))
    assert story.ticks(timedelta(hours=3), blind=("test",)) == []
    assert [message.kind for message in story.ticks(timedelta(hours=1))] == [Kind.END]


def test_a_group_is_told_once_an_hour_at_most_and_nothing_is_lost_by_that():
    story = Story()
    begun: list[Condition] = []
    for number in range(12):
        begun.append(wrong(f"p{number}", BIG))
        story.ticks(timedelta(minutes=15), *begun)
    starts = [(at, lines(message)) for at, message in story.told]
    assert all(later - at >= timedelta(hours=1) for (at, _), (later, _) in pairwise(starts))
    assert sorted(line for _, told in starts for line in told) == sorted(f"p{n} is wrong" for n in range(9))
    story.ticks(timedelta(hours=1), *begun)
    assert len([line for _, message in story.told for line in lines(message)]) == 12


def test_a_graver_condition_does_not_wait_for_its_group():
    story = Story()
    story.tick(wrong("a", BIG))
    [start] = story.tick(wrong("a", BIG), wrong("b", BIG, Severity.ERROR))
    assert lines(start) == ["b is wrong"]
    story.ticks(timedelta(minutes=20), wrong("a", BIG))
    assert story.tick(wrong("a", BIG), wrong("b", BIG, Severity.ERROR)) == []


def test_a_power_cut_is_one_message_and_one_end():
    story = Story()
    everything = [wrong(f"c{number}") for number in range(20)]
    [start] = story.tick(*everything)
    assert (start.group, len(lines(start))) == ("several", 20)
    [end] = story.ticks(timedelta(hours=1))
    assert len(lines(end)) == 20


def test_an_hour_has_a_limit_and_the_rest_follows_later():
    story = Story(replace(policy(), starts_per_hour=2))
    story.ticks(timedelta(minutes=30), *(wrong(f"c{number}") for number in range(3)))
    assert story.kinds() == [Kind.START, Kind.START]
    story.ticks(timedelta(hours=1), *(wrong(f"c{number}") for number in range(3)))
    assert story.kinds() == [Kind.START] * 3


def test_an_error_waits_for_no_limit_and_a_joint_message_counts_once():
    story = Story(replace(policy(), starts_per_hour=2))
    cut = [wrong(f"c{number}") for number in range(20)]
    assert len(story.tick(*cut)) == 1
    [second] = story.tick(*cut, wrong("second"))
    assert lines(second) == ["second is wrong"]
    assert story.tick(*cut, wrong("second"), wrong("third")) == []
    [error] = story.tick(*cut, wrong("second"), wrong("third"), wrong("disk", severity=Severity.ERROR))
    assert lines(error) == ["disk is wrong"]


def test_an_error_of_a_group_follows_its_warning_at_once_though_an_error_of_others_stood_in_the_same_message():
    story = Story()
    cut = [wrong("e", severity=Severity.ERROR), *(wrong(f"c{number}") for number in range(5))]
    story.tick(*cut)
    [graver] = story.tick(*cut, wrong("worse", "c0", Severity.ERROR))
    assert lines(graver) == ["worse is wrong"]
    assert story.tick(*cut, wrong("worse", "c0", Severity.ERROR), wrong("again", "c0", Severity.ERROR)) == []


def test_a_start_says_whether_the_readings_may_still_come():
    [late] = Story().tick(*point_conditions(SITE, states(NOON, p2000="late")))
    [lost] = Story().tick(*point_conditions(SITE, states(NOON, p2000="missing")))
    [stuck] = Story().tick(*point_conditions(SITE, states(NOON, p2000="stuck")))
    [gone] = Story().tick(*point_conditions(SITE, states(NOON, {BIG: 600.0})))
    assert "provisional: may still come" in late.title
    assert "final: lost" in lost.title
    assert "final: lost" in gone.title
    assert stuck.title == "wind_speed (point 2000) is stuck"


def test_what_became_final_is_named_by_the_next_digest_once():
    story = Story()
    story.ticks(timedelta(hours=6), *point_conditions(SITE, states(NOON, p2000="late")))
    story.ticks(timedelta(days=2), *point_conditions(SITE, states(NOON, p2000="missing")))
    assert story.kinds() == [Kind.START]
    first, second = (message for _, message in story.told if message.kind is Kind.DIGEST)
    assert [section.heading for section in first.sections] == ["Open", "Final since the last digest"]
    assert [section.heading for section in second.sections] == ["Open"]


def test_what_began_in_a_silence_and_ended_in_it_is_told_of_by_nobody():
    work = {"start": "2026-03-04T14:00", "end": "2026-03-04T18:00", "reason": "work"}
    story = Story(policy(silences=[work]))
    before = wrong("before")
    story.ticks(timedelta(hours=1), before)
    story.ticks(timedelta(minutes=30), before, wrong("within"))
    story.ticks(timedelta(hours=6))
    assert [(message.kind, lines(message)) for _, message in story.told] == [
        (Kind.START, ["before is wrong"]),
        (Kind.END, ["before is wrong"]),
    ]


def test_a_known_dead_point_is_named_in_the_digest_and_told_of_nowhere_else():
    story = Story(policy(known_dead=[{"points": [1003], "reason": "renovation of 1.213", "until": "2026-03-05"}]))
    dead, other = wrong("point:1003", BIG, points=(1003,)), wrong("other")
    story.ticks(timedelta(hours=19), dead, other)
    [(_, start), (_, digest)] = story.told
    assert lines(start) == ["other is wrong"]
    held = next(section for section in digest.sections if section.heading == "Held back")
    assert [(entry.summary, entry.advice) for entry in held.entries] == [
        ("point:1003 is wrong", "known dead: renovation of 1.213")
    ]
    late = [message for at, message in story.told if at > NOON + timedelta(hours=19)]
    assert late == []
    story.ticks(timedelta(days=1), dead, other)  # the day after `until` it counts again
    assert "point:1003 is wrong" in [
        line for _, message in story.told if message.kind is Kind.START for line in lines(message)
    ]


def test_a_silence_covers_its_controller_for_its_time():
    story = Story(
        policy(
            silences=[
                {"controllers": [BIG], "start": "2026-03-04T12:00", "end": "2026-03-04T15:00", "reason": "bus work"}
            ]
        )
    )
    [start] = story.tick(wrong("a", BIG), wrong("b", SMALL))
    assert start.group == SMALL
    assert story.ticks(timedelta(minutes=115), wrong("a", BIG), wrong("b", SMALL)) == []
    [late] = story.tick(wrong("a", BIG), wrong("b", SMALL))
    assert (late.group, late.created_at) == (BIG, NOON + timedelta(hours=2))  # 15:00 in Aalborg


def test_quiet_hours_hold_warnings_until_the_morning_and_let_errors_through():
    night = policy(quiet_hours=[{"start": "22:00", "end": "06:00"}], digest_at="23:59")
    story = Story(night, now=NOON.replace(hour=22))  # 23:00 in Aalborg
    [error] = story.tick(wrong("e", severity=Severity.ERROR), wrong("w"))
    assert lines(error) == ["e is wrong"]
    quiet = story.ticks(timedelta(hours=6, minutes=55), wrong("w"))
    assert [(message.kind, lines(message)) for message in quiet] == [(Kind.END, ["e is wrong"])]
    [morning] = story.tick(wrong("w"))
    assert morning.created_at == NOON.replace(day=5, hour=5)
    assert lines(morning) == ["w is wrong"]


def test_the_digest_comes_once_a_local_day_and_only_where_there_is_something_to_say():
    story = Story(policy(digest_at="07:00"))
    assert story.ticks(timedelta(days=2)) == []
    story.tick(wrong("a"))
    story.ticks(timedelta(minutes=30))
    story.ticks(timedelta(days=2), wrong("b"))
    digests = [message for _, message in story.told if message.kind is Kind.DIGEST]
    assert [message.created_at.hour for message in digests] == [6, 6]
    assert {section.heading: [entry.summary for entry in section.entries] for section in digests[0].sections} == {
        "Open": ["b is wrong"],
        "Over since the last digest": ["a is wrong"],
    }
    assert [section.heading for section in digests[1].sections] == ["Open"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 90), st.frozensets(st.sampled_from("abcdefg")), st.booleans()), min_size=1, max_size=40
    )
)
def test_whatever_happens_every_end_has_its_start_and_in_the_end_all_is_over_and_told_once(steps):
    story = Story(policy(quiet_hours=[{"start": "22:00", "end": "06:00"}]))
    for minutes, keys, blind in steps:
        story.tick(*(wrong(key, key if key < "d" else BIG) for key in keys), blind=("test",) if blind else ())
        story.now += timedelta(minutes=minutes)
    for _ in range(20):
        story.tick()
        story.now += timedelta(hours=1)
    told = [
        (message.kind, line) for _, message in story.told for line in lines(message) if message.kind is not Kind.DIGEST
    ]
    for key in "abcdefg":
        steps_of_key = [1 if kind is Kind.START else -1 for kind, line in told if line == f"{key} is wrong"]
        assert min(accumulate(steps_of_key, initial=0)) == 0
        assert sum(steps_of_key) == 0
    assert story.state.ongoing == story.state.incidents == {}
    ids = [message.id for _, message in story.told]
    assert len(ids) == len(set(ids))
