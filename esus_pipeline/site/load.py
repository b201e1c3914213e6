"""Reading a site folder (`site.yaml`, `points.csv`) with errors that name file, line, field and what is allowed."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from esus_pipeline.site.model import Site
from esus_pipeline.site.point import Point

POINT_COLUMNS = ("external_log_id", "bms_path", "room", "quantity", "unit", "role")
_BUILTIN = Path(__file__).parent
_ADVICE = {
    "extra_forbidden": "no such field; check the spelling",
    "missing": "this field is required",
    "string_pattern_mismatch": "must be lower-case letters, digits and _, beginning with a letter",
    "tuple_type": "must be a list",
    "time_parsing": "must be a time such as 08:00",
    "time_delta_parsing": "must be a duration such as PT2H (two hours) or P1D (a day)",
}
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it: ten times as fast


class SiteError(ValueError):
    """A site folder that cannot be used; the message lists every fault as `file:line: field: what is allowed`."""


class _Loader(_Base):
    """YAML whose scalars stay text: the model, not their look, says what they are.

    YAML by itself reads the room 1.230 as 1.23, and 16:00 as 960.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  # as the parent declares it
        first: [
            (tag, pattern) for tag, pattern in found if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
        ]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }


def builtin_sites() -> list[str]:
    """Names of the sites that come with the package."""
    return sorted(path.parent.name for path in _BUILTIN.glob("*/site.yaml"))


def load_site(name_or_folder: str) -> Site:
    """The site of that name, or of that folder. SiteError says what is wrong and where."""
    folder = _BUILTIN / name_or_folder if name_or_folder in builtin_sites() else Path(name_or_folder).expanduser()
    file = folder / "site.yaml"
    if not file.is_file():
        raise SiteError(
            f"{name_or_folder!r} is neither a site of this package ({', '.join(builtin_sites())}) "
            f"nor a folder with a site.yaml; set ESUS_SITE to one of them"
        )
    root, data = _parse_yaml(file)
    if not isinstance(data, dict):
        raise SiteError(f"{file}:1: must be a mapping with name, place, facades, rooms, comfort, tariffs, wind")
    try:
        site = Site.model_validate(data)
    except ValidationError as error:
        faults = [
            f"{file}:{_line(root, fault['loc'])}: {'.'.join(map(str, fault['loc'])) or 'site'}: {_allowed(fault)}"
            for fault in error.errors()
        ]
        raise SiteError("\n".join(faults)) from None
    site = site.model_copy(update={"points": tuple(_read_points(folder / "points.csv", site))})
    faults = [f"{file}:{_line(root, path)}: {'.'.join(map(str, path))}: {what}" for path, what in _strangers(site)]
    if faults:
        raise SiteError("\n".join(faults))
    return site


def _strangers(site: Site) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where the part `alerts` names points and controllers that points.csv does not have."""
    ids, controllers = set(site.point_ids), sorted({point.controller for point in site.points})
    named = [(("alerts", "known_dead", at), entry.points) for at, entry in enumerate(site.alerts.known_dead)]
    named += [(("alerts", "silences", at), silence.points) for at, silence in enumerate(site.alerts.silences)]
    for path, points in named:
        for index, point in enumerate(points):
            if point not in ids:
                yield (*path, "points", index), f"must be an id of points.csv, got {point}"
    for at, silence in enumerate(site.alerts.silences):
        for index, name in enumerate(silence.controllers):
            if name not in controllers:
                allowed = f"must be one of {', '.join(controllers)}, got {name!r}"
                yield ("alerts", "silences", at, "controllers", index), allowed


def _text(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SiteError(f"{file}:{line}: not UTF-8: {error.reason}; save the file as UTF-8") from None


def _parse_yaml(file: Path) -> tuple[yaml.Node | None, object]:
    """The document as nodes, which know their lines, and as plain data."""
    text = _text(file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        again = [f"{file}:{key.start_mark.line + 1}: {key.value}: stands twice" for key in _repeated_keys(root, set())]
        if again:
            raise SiteError("\n".join(again))
        return root, None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SiteError(f"{file}:{line}: not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise SiteError(f"{file}:{text.count(chr(10), 0, error.position) + 1}: not YAML: {error.reason}") from None


def _repeated_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.Node]:
    """Keys that a mapping has already; YAML would let the last one win in silence."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    children = node.value
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        yield from (key for index, (key, _) in enumerate(node.value) if key.value in names[:index])
        children = [child for _, child in node.value]
    for child in children:
        yield from _repeated_keys(child, seen)


def _line(node: yaml.Node | None, path: tuple[Any, ...]) -> int:
    """The line of the deepest part of `path` that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
            if not pairs:
                return line
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _allowed(fault: Any) -> str:
    message = _ADVICE.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    silent = fault["type"] in ("extra_forbidden", "missing") or isinstance(fault["input"], (dict, list))
    return message if silent else f"{message}, got {fault['input']!r}"


def _read_points(file: Path, site: Site) -> list[Point]:
    if not file.is_file():
        raise SiteError(f"{file}: missing; a site needs a points.csv with the columns {', '.join(POINT_COLUMNS)}")
    points: dict[int, Point] = {}
    faults: list[str] = []
    for where, row in _rows(file):
        try:
            point = Point(
                id=row["external_log_id"],
                path=row["bms_path"],
                room=row["room"] or None,
                quantity=row["quantity"],
                unit=row["unit"],
                role=row["role"],
                max_silence=row.get("max_silence") or None,
                note=row.get("note", ""),
            )
        except ValidationError as error:
            names = dict(zip(("id", "path"), POINT_COLUMNS, strict=False))
            for fault in error.errors():
                field = str(fault["loc"][0] if fault["loc"] else "max_silence")
                faults.append(f"{where}: {names.get(field, field)}: {_allowed(fault)}")
            continue
        if point.id in points:
            faults.append(f"{where}: external_log_id: {point.id} stands twice")
        if point.room is not None and point.room not in site.room_ids:
            faults.append(f"{where}: room: must be one of {', '.join(site.room_ids)}, or empty, got {point.room!r}")
        points[point.id] = point
    if not (points or faults):
        raise SiteError(f"{file}:2: no points; a site needs at least one")
    if faults:
        raise SiteError("\n".join(faults))
    return list(points.values())


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row stands, and its cells by column, without blanks around them."""
    reader = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True, skipinitialspace=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        absent = [name for name in POINT_COLUMNS if name not in names]
        if absent:
            raise SiteError(f"{file}:1: missing columns {', '.join(absent)}; columns are separated by commas")
        reader.fieldnames = names
        for row in reader:
            where = f"{file}:{reader.line_num}"
            if None in row:
                raise SiteError(f"{where}: more cells than columns; put text that has a comma in double quotes")
            yield where, {name: (cell or "").strip() for name, cell in row.items()}
    except csv.Error as error:
        raise SiteError(f"{file}:{reader.line_num + 1}: not CSV: {error}") from None
