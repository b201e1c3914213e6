"""The example of the documentation as a folder, and what a wrong one is told."""

import re
from pathlib import Path

import pytest

from esus_pipeline.site import SiteError, load_site

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-building.md"
EXAMPLE = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]
HEADER = "external_log_id,bms_path,room,quantity,unit,role"
POINTS = f"{HEADER}\n1,/C1/T,1.230,air_temperature,degC,measurement\n2,/C2/W,,wind_speed,m/s,measurement\n"


def write(folder: Path, site: str | bytes = EXAMPLE, points: str | bytes | None = POINTS) -> Path:
    """A site folder with these two files."""
    for name, content in (("site.yaml", site), ("points.csv", points)):
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def edited(old: str, new: str, text: str = EXAMPLE) -> str:
    """The text with one place changed; a test whose place is gone must not pass."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    """Number of the line that `part` is on."""
    return text[: text.index(part)].count("\n") + 1


def faults(folder: Path) -> list[str]:
    """What the operator reads, one line per fault, with the file's name in place of its path."""
    with pytest.raises(SiteError) as caught:
        load_site(str(folder))
    return str(caught.value).replace(f"{folder}/", "").split("\n")
