"""A message in words: as a mail (text and HTML) and as JSON for a chat. Belongs here: escaping for each medium.

Texts of conditions are on one line already (see condition). Here they are escaped: by jinja2 in HTML, by hand for the
markup of chat systems, and headers are made by the email package, which refuses line breaks.
"""

import html
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from esus_pipeline.alerts.condition import Severity, one_line
from esus_pipeline.alerts.state import Entry, Kind, Message

MOST_ENTRIES = 20
"""Entries of a section that are shown; the rest is counted."""
MOST_DETAILS = 12
"""Details of an entry that are shown; the rest is counted."""

_MARKS = {Kind.START: "▲", Kind.END: "✔", Kind.DIGEST: "≡", Kind.TEST: "•"}
_WORDS = {Kind.START: "started", Kind.END: "over", Kind.DIGEST: "digest", Kind.TEST: "test"}
_COLORS = {Kind.END: "2eb67d", Kind.DIGEST: "4a6fa5", Kind.TEST: "4a6fa5"}

_HTML = Environment(
    loader=PackageLoader("esus_pipeline.alerts", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Sender:
    """Who speaks, and where his screens are."""

    site: str
    """Title of the building."""
    zone: ZoneInfo
    ui_url: str = ""
    """Address of Dagster's UI; without it messages hold no links."""

    def link(self, entry: Entry) -> str:
        """The entry's page in the UI."""
        return f"{self.ui_url.rstrip('/')}{entry.link}" if self.ui_url and entry.link.startswith("/") else ""


@dataclass(frozen=True)
class _Line:
    """An entry as people read it."""

    word: str
    color: str
    summary: str
    when: str
    advice: str
    link: str
    details: tuple[str, ...]
    more: int


def subject(message: Message, sender: Sender) -> str:
    """One line that says what, and whether it began or is over."""
    word = message.severity.word.upper() if message.kind is Kind.START else _WORDS[message.kind]
    return one_line(f"[{sender.site}] {_MARKS[message.kind]} {word}: {message.title}", 180)


def mail(message: Message, sender: Sender) -> EmailMessage:
    """The message as text and HTML, without From and To."""
    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = subject(message, sender)
    letter["Date"] = message.created_at
    letter["Message-ID"] = f"<{message.id}@esus-pipeline.invalid>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter.set_content(text(message, sender))
    page = _HTML.get_template("mail.html").render(
        subject=subject(message, sender),
        color=_color(message.kind, message.severity),
        sections=_sections(message, sender),
        footer=_footer(message, sender),
    )
    letter.add_alternative(page, subtype="html")
    return letter


def text(message: Message, sender: Sender) -> str:
    """The message as plain text."""
    lines = [subject(message, sender), ""]
    for heading, entries, more in _sections(message, sender):
        lines += [f"{heading}:", ""] if heading else []
        for line in entries:
            lines += [f"{line.word.upper()}  {line.summary}", f"  {line.when}"]
            lines += [f"  - {detail}" for detail in line.details]
            lines += [f"  - and {line.more} more"] if line.more else []
            lines += [f"  What to do: {line.advice}"] if line.advice else []
            lines += [f"  {line.link}"] if line.link else []
            lines.append("")
        lines += [f"and {more} more", ""] if more else []
    return "\n".join([*lines, _footer(message, sender), ""])


def chat(message: Message, sender: Sender) -> dict[str, object]:
    """JSON that Slack, Mattermost and Teams connectors show by its `text`; the other fields are for programs."""
    lines = [f"*{_chat(subject(message, sender))}*"]
    for heading, entries, more in _sections(message, sender):
        lines += [f"*{heading}*"] if heading else []
        for line in entries:
            advice = f" — {_chat(line.advice)}" if line.advice else ""
            lines.append(f"• {_chat(line.summary)} ({line.when}){advice}{f' {line.link}' if line.link else ''}")
            lines += [f"    ◦ {_chat(detail)}" for detail in line.details]
            lines += [f"    ◦ and {line.more} more"] if line.more else []
        lines += [f"and {more} more"] if more else []
    return {
        "text": "\n".join(lines),
        "id": message.id,
        "kind": message.kind.value,
        "group": message.group,
        "severity": message.severity.word,
        "site": sender.site,
        "created_at": message.created_at.isoformat(),
        "entries": [_record(entry, sender) for section in message.sections for entry in section.entries[:MOST_ENTRIES]],
    }


def _record(entry: Entry, sender: Sender) -> dict[str, object]:
    return {
        "severity": entry.severity.word,
        "summary": entry.summary,
        "since": entry.since.isoformat(),
        "until": entry.until.isoformat() if entry.until else None,
        "advice": entry.advice,
        "link": sender.link(entry),
        "details": list(entry.details[:MOST_DETAILS]),
    }


def _sections(message: Message, sender: Sender) -> list[tuple[str, list[_Line], int]]:
    return [
        (
            section.heading,
            [_line(entry, message, sender) for entry in section.entries[:MOST_ENTRIES]],
            max(0, len(section.entries) - MOST_ENTRIES),
        )
        for section in message.sections
    ]


def _line(entry: Entry, message: Message, sender: Sender) -> _Line:
    over = entry.until is not None
    return _Line(
        word="over" if over else entry.severity.word,
        color=_color(Kind.END if over else Kind.START, entry.severity),
        summary=entry.summary,
        when=_when(entry, message, sender.zone),
        advice=entry.advice,
        link=sender.link(entry),
        details=entry.details[:MOST_DETAILS],
        more=max(0, len(entry.details) - MOST_DETAILS),
    )


def _when(entry: Entry, message: Message, zone: ZoneInfo) -> str:
    begun = _moment(entry.since, zone)
    if entry.until is None:
        return f"since {begun}, {_span((message.created_at - entry.since).total_seconds())}"
    return f"{begun} to {_moment(entry.until, zone)}, {_span((entry.until - entry.since).total_seconds())}"


def _moment(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def _footer(message: Message, sender: Sender) -> str:
    made = f"{_moment(message.created_at, sender.zone)} {sender.zone.key}"
    return f"{sender.site}, {made}. {sender.ui_url}".strip()


def _color(kind: Kind, severity: Severity) -> str:
    return _COLORS.get(kind, "d64545" if severity is Severity.ERROR else "d98e04")


def _chat(words: str) -> str:
    """Text that no chat takes for a mention, a link or markup (Slack's three entities; a zero-width space after @)."""
    quiet = words.replace("`", "'").replace("](", "] (").replace("@", "@\N{ZERO WIDTH SPACE}")
    return html.escape(quiet, quote=False)
