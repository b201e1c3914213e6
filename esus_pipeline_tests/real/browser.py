"""A real browser for the tests, and what it complained of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SECOND = 1000.0


@dataclass
class Witness:
    """What the browser complained of, and where it went."""

    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@contextmanager
def browser(width: int, height: int) -> Iterator[tuple[Page, Witness]]:
    """A page of a fresh browser, watched."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    witness = Witness()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=90 * SECOND)
        try:
            context = chromium.new_context(viewport={"width": width, "height": height})
            context.on("request", lambda request: _note_host(witness, request.url))
            page = context.new_page()
            page.set_default_timeout(60 * SECOND)
            expect.set_options(timeout=60 * SECOND)
            page.on("console", lambda message: _note_error(witness, message.type, message.text))
            page.on("pageerror", lambda error: witness.errors.append(str(error)))
            yield page, witness
        finally:
            chromium.close()


def _note_host(witness: Witness, url: str) -> None:
    if url.startswith("http"):
        witness.hosts.add(httpx.URL(url).host)


def _note_error(witness: Witness, kind: str, text: str) -> None:
    if kind == "error":
        witness.errors.append(text)


def shoot(page: Page, name: str, full_page: bool = False) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)
