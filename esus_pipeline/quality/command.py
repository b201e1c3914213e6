"""The body of `esus quality`: read the archive, print the report, write the page."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esus_pipeline.archive import ArchiveError
from esus_pipeline.checks import judge_contacts
from esus_pipeline.connect import archive
from esus_pipeline.quality.report import quality_page, quality_report, quality_words
from esus_pipeline.settings import Settings
from esus_pipeline.site import load_site

FAILURES = (ArchiveError, ValueError, OSError)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def since(text: str, now: datetime) -> datetime:
    """The instant that `7d`, `36h`, `2w` or an ISO 8601 time names; ValueError says what is allowed."""
    match = re.fullmatch(r"(\d{1,4})([hdw])", text.strip())
    if match:
        return now - int(match[1]) * _UNITS[match[2]]
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--since must be like 36h, 7d, 2w or 2026-06-21T00:00, got {text!r}") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def run(settings: Settings, text: str, html: Path | None, now: datetime) -> str:
    """The report as words; `html` is a file to write the page to."""
    start = since(text, now)
    if start >= now:
        raise ValueError(f"--since must lie in the past, got {text!r}")
    read, site = archive(settings).read, load_site(settings.site)
    worst = judge_contacts(read, site, now).worst
    report = quality_report(read, site, start, now, [(str(row["subject"]), str(row["note"])) for row in worst])
    if html is not None:
        html.write_text(quality_page(report), encoding="utf-8")
    return quality_words(report)
