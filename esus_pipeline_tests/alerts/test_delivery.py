"""Messages on their way to a real mail server and a real HTTP receiver: whole, once, and without anybody's secrets."""

import logging
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from esus_pipeline.alerts import AlertConfigError, Condition, Look, Severity, alerts_text, point_conditions
from esus_pipeline.alerts.senders import Mail, MailServer, SendError, Webhook
from esus_pipeline.alerts.state import Message
from esus_pipeline.connect import alerts as connect_alerts
from esus_pipeline.settings import Settings
from esus_pipeline_tests.alerts.house import BIG, NOON, SITE, Clock, alerts, states
from esus_pipeline_tests.alerts.receivers import PASSWORD, Mailbox, certificate, mail_server, webhook

WRONG = Condition("a", "test", "a", Severity.ERROR, "a is wrong", "Mend it.", link="/runs/1")


def to(box: Mailbox, recipient: str = "engineer@example.org") -> Mail:
    return Mail(MailServer(f"smtp+plain://127.0.0.1:{box.port}"), "esus@example.org", recipient, deadline_s=5)


def bodies(mail) -> tuple[str, str]:
    return mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()


def test_an_outage_of_sixty_points_is_one_mail_and_one_post_at_its_start_and_at_its_end(tmp_path):
    clock = Clock()
    with mail_server() as box, webhook() as hook:
        ours = alerts(tmp_path, clock, to(box), Webhook(hook.url))

        def look(behind: dict[str, float]) -> Look:
            return Look.of(point_conditions(SITE, states(clock.now, behind)))

        ours.tick(look({}))
        assert (box.mails, hook.posts) == ([], [])  # a quiet setpoint is among the points
        for quarter in range(40):
            tick = ours.tick(look({BIG: 100.0 + 15 * quarter}))
            assert (len(box.mails), len(hook.posts)) == (1, 1)  # with the first tick that sees it
            clock.pass_(minutes=15)
        for _ in range(4):
            tick = ours.tick(look({}))
            clock.pass_(minutes=15)
    assert (tick.open, tick.waiting, tick.problems) == (0, 0, ())
    subjects = [mail["Subject"] for mail in box.mails if "digest" not in mail["Subject"]]
    assert subjects == [
        f"[{SITE.title}] ▲ WARNING: controller {BIG} is late (provisional: may still come)",
        f"[{SITE.title}] ✔ over: controller {BIG} delivers nothing",
    ]
    assert [(post["kind"], post["group"]) for post in hook.posts if post["kind"] != "digest"] == [
        ("start", BIG),
        ("end", BIG),
    ]
    text, page = bodies(box.mails[0])
    for words in ("60 of 60 points are silent", "What to do", "https://ui.example.org/dagster/assets/point_states"):
        assert words in text
    assert (
        '<a href="https://ui.example.org/dagster/assets/point_states?view=checks&amp;checkDetail=controller_lateness"'
        in page
    )


def test_a_mail_over_starttls_with_a_login_and_none_where_the_certificate_is_a_strangers(tmp_path):
    served, trusting = certificate(tmp_path)
    with mail_server(tls=served) as box:
        server = MailServer(f"smtp://localhost:{box.port}", "esus", PASSWORD)
        mail = Mail(server, "esus@example.org", "a@example.org", tls=trusting, deadline_s=5)
        tick = alerts(tmp_path, Clock(), mail).tick(Look.of([WRONG]))
        assert (tick.sent, tick.problems) == (1, ())
        assert box.recipients == ["a@example.org"]
        for broken, said in [
            (replace(mail, tls=None), "no trusted TLS connection"),
            (replace(mail, server=replace(server, password="canary-wrong")), "refuses the login"),
            (replace(mail, server=replace(server, url=f"smtp://127.0.0.1:{box.port}")), "no trusted TLS connection"),
        ]:
            [problem] = (
                alerts(tmp_path / broken.server.url[-9:] / said, Clock(), broken).tick(Look.of([WRONG])).problems
            )
            assert said in problem
            assert "canary" not in problem
    assert len(box.mails) == 1


def test_a_failed_delivery_stays_visible_is_tried_again_and_arrives_once(tmp_path):
    clock = Clock()
    with mail_server() as box, webhook() as hook:
        port = box.port
    with webhook() as hook:  # the mail server is gone
        ours = alerts(tmp_path, clock, to(Mailbox(port)), Webhook(hook.url))
        tick = ours.tick(Look.of([WRONG]))
        assert (tick.sent, tick.waiting) == (1, 1)
        assert "cannot be reached" in tick.problems[0]
        [waiting] = ours.store.waiting(clock.now)
        assert (waiting.channel, waiting.attempts) == ("mail to engineer@example.org", 1)
        assert ours.tick(Look.of([WRONG])).problems == ()  # not hammered
        for _ in range(9):
            clock.pass_(minutes=10)
            tick = ours.tick(Look.of([WRONG]))
        assert any("alerts cannot be delivered" in post["text"] for post in hook.posts)
        with mail_server(port) as box:
            for _ in range(8):
                clock.pass_(minutes=10)
                tick = ours.tick(Look.of([WRONG]))
            assert tick.waiting == 0
    assert [mail["Subject"].split(": ", 1)[1] for mail in box.mails].count("a is wrong") == 1
    assert len({mail["Message-ID"] for mail in box.mails}) == len(box.mails)


def test_the_heart_beats_with_good_ticks_and_stops_while_messages_cannot_leave(tmp_path):
    clock = Clock()
    with webhook() as watcher, webhook() as hook:
        ours = alerts(tmp_path, clock, Webhook(hook.url), heartbeat_url=watcher.url)
        ours.tick(Look())
        assert (watcher.gets, ours.heartbeat_file.read_text()) == (1, f"{NOON.isoformat()}\n")
        hook.status = 500
        for _ in range(8):
            clock.pass_(minutes=10)
            tick = ours.tick(Look.of([WRONG]))
        assert ours.heartbeat_file.read_text() == f"{(NOON + timedelta(minutes=60)).isoformat()}\n"
        assert watcher.gets == 7
        hook.status = 204
        clock.pass_(hours=1)
        assert ours.tick(Look.of([WRONG])).waiting == 0
        assert ours.heartbeat_file.read_text() == f"{clock.now.isoformat()}\n"
        watcher.status = 404
        [problem] = ours.tick(Look.of([WRONG])).problems
        assert "ESUS_HEARTBEAT_URL" in problem
    assert tick.problems


def test_a_message_that_was_given_up_holds_no_heartbeat_and_is_named_by_one_digest_and_by_the_command(tmp_path):
    clock = Clock()
    back = NOON + timedelta(days=4)
    with webhook() as hook:
        ours = alerts(tmp_path, clock, Webhook(hook.url))
        while clock.now < back + timedelta(days=3):
            hook.status = 500 if clock.now < back else 204
            tick = ours.tick(Look.of([WRONG] if clock.now < NOON + timedelta(hours=2) else []))
            clock.pass_(minutes=30)
        assert (tick.open, tick.waiting) == (0, 0)
        assert ours.heartbeat_file.read_text() == f"{(clock.now - timedelta(minutes=30)).isoformat()}\n"
    assert [post["kind"] for post in hook.posts if "cannot be delivered" in post["text"].splitlines()[0]] == ["end"]
    named = [post for post in hook.posts if post["kind"] == "digest" and "a is wrong (to webhook" in post["text"]]
    assert len(named) == 1
    assert "never delivered" in named[0]["text"].splitlines()[0]
    assert "given up 'a is wrong'" in alerts_text(ours, clock.now)


def test_one_refused_recipient_costs_nobody_else_his_mail(tmp_path):
    with mail_server() as box:
        box.refuse["gone@example.org"] = "550 no such user"
        ours = alerts(tmp_path, Clock(), to(box, "gone@example.org"), to(box, "here@example.org"))
        [problem] = ours.tick(Look.of([WRONG])).problems
    assert "550 no such user" in problem
    assert box.recipients == ["here@example.org"]


@pytest.mark.parametrize(("status", "said"), [(302, "302"), (404, "ESUS_ALERT_WEBHOOK_URL"), (503, "503")])
def test_a_webhook_that_says_no_or_elsewhere_is_a_failure_that_names_the_host_alone(tmp_path, caplog, status, said):
    caplog.set_level(logging.DEBUG)
    with webhook() as hook:
        hook.status = status
        [problem] = alerts(tmp_path, Clock(), Webhook(hook.url)).tick(Look.of([WRONG])).problems
    assert said in problem
    assert "canary" not in problem + caplog.text + repr(Webhook(hook.url))
    assert b"canary" not in (tmp_path / "alerts.sqlite").read_bytes()


def test_a_receiver_that_never_ends_costs_a_deadline_and_no_more():
    with webhook() as hook:
        hook.delay_s = 3.0
        with pytest.raises(SendError, match=r"within 0\.3 s"):
            Webhook(hook.url, deadline_s=0.3).send(None, {})  # type: ignore[arg-type]


EVIL = "</div><script>alert(1)</script>\r\nBcc: victim@example.org\r\n\r\n<!channel> @everyone [x](http://e.dk) \u202e"


def test_names_of_strangers_break_out_of_no_header_no_page_and_no_chat(tmp_path):
    evil = Condition("k\r\nX: y", "test", EVIL, Severity.ERROR, EVIL, EVIL, link='/x"><script>', details=(EVIL,))
    with mail_server() as box, webhook() as hook:
        alerts(tmp_path, Clock(), to(box), Webhook(hook.url)).tick(Look.of([evil]))
    [mail], [post] = box.mails, hook.posts
    assert box.recipients == ["engineer@example.org"]
    assert sorted(name for name, _ in mail.items() if name.lower() in ("bcc", "x", "to")) == ["To"]
    assert len(mail["Subject"]) <= 180
    text, page = bodies(mail)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Bcc: victim@example.org" not in text.splitlines()
    assert "\u202e" not in text + page + post["text"]
    assert "<!channel>" not in post["text"]
    assert "@everyone" not in post["text"]
    assert "](http" not in post["text"]


def test_a_crash_between_deciding_and_sending_loses_nothing_and_doubles_nothing(tmp_path):
    """A process dies with the message in its hands; the next one finds it in the outbox."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from esus_pipeline.alerts import Condition, Look, Severity
        from esus_pipeline_tests.alerts.house import Clock, alerts

        class Dying:
            channel = "mail to engineer@example.org"
            def send(self, mail, chat):
                os._exit(9)

        wrong = Condition("a", "test", "a", Severity.ERROR, "a is wrong", "Mend it.")
        alerts(Path(sys.argv[1]), Clock(), Dying()).tick(Look.of([wrong]))
    """)
    died = subprocess.run([sys.executable, "-W", "ignore", "-c", program, tmp_path], timeout=60, check=False)
    assert died.returncode == 9
    clock = Clock(NOON + timedelta(minutes=2))
    with mail_server() as box:
        ours = alerts(tmp_path, clock, to(box))
        for _ in range(5):
            ours.tick(Look.of([WRONG]))
            clock.pass_(minutes=5)
    assert len(box.mails) == 1


def test_two_processes_that_empty_one_outbox_send_each_message_once(tmp_path):
    clock, taken = Clock(), []

    class Slow:
        channel = "slow"

        def send(self, mail: Message, chat: dict[str, object]) -> None:
            taken.append(chat["id"])
            if len(taken) == 1:
                other.tick(Look.of([WRONG]))  # while the first one is sending

    ours, other = alerts(tmp_path, clock, Slow()), alerts(tmp_path, clock, Slow())
    ours.tick(Look.of([WRONG]))
    assert len(taken) == 1


def test_a_damaged_memory_is_set_aside_and_begun_anew(tmp_path):
    with mail_server() as box:
        ours = alerts(tmp_path, Clock(), to(box))
        ours.store.path.write_bytes(b"not a database" * 100)
        ours.tick(Look.of([WRONG]))
    assert len(box.mails) == 1
    assert [path.read_bytes()[:14] for path in tmp_path.glob("*.corrupt-*")] == [b"not a database"]
    assert sqlite3.connect(ours.store.path).execute("SELECT count(*) FROM outbox").fetchone() == (1,)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"alert_smtp_url": "mail.example.org"}, "smtps://host"),
        ({"alert_smtp_url": "smtp://u:canary@mail.example.org"}, "must not contain"),
        ({"alert_smtp_url": "smtp+plain://mail.example.org", "alert_smtp_username": "u"}, "would show the password"),
        ({"alert_smtp_url": "smtp://mail.example.org", "alert_from": "a@b.c"}, "ESUS_ALERT_TO"),
        ({"alert_smtp_url": "smtp://h", "alert_from": "a@b.c", "alert_to": ("x@y.z\r\nBcc: v@w",)}, "ESUS_ALERT_TO"),
        ({"alert_webhook_url": "hooks.example.org/canary"}, "ESUS_ALERT_WEBHOOK_URL"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_its_name_and_without_its_secret(settings, said):
    with pytest.raises(AlertConfigError, match=said) as error:
        connect_alerts(Settings(**settings), SITE)
    assert "canary" not in str(error.value)


def test_a_test_message_goes_everywhere_at_once(tmp_path):
    with mail_server() as box, webhook() as hook:
        tick = alerts(tmp_path, Clock(), to(box), Webhook(hook.url)).test()
    assert (tick.sent, len(box.mails), len(hook.posts)) == (2, 1, 1)


def test_a_digest_as_mail_names_what_is_held_back(tmp_path):
    clock = Clock(datetime.fromisoformat("2026-03-04T23:00:00+00:00"))
    with mail_server() as box:
        ours = alerts(tmp_path, clock, to(box))
        for _ in range(10):
            ours.tick(Look.of(point_conditions(SITE, states(clock.now, p1003="stuck", p1004="missing"))))
            clock.pass_(hours=1)
    [digest] = [mail for mail in box.mails if "digest" in mail["Subject"]]
    text, _ = bodies(digest)
    assert "Open:" in text
    assert "air_temperature of 1.213 (point 1003) is stuck" in text
