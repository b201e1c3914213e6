"""The one jinja environment: escaping on, templates from this package, and the words as people write them."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

_UNITS = (("degC", "°C"), ("W/m2", "W/m²"), ("kWh", "kWh"), ("m/s", "m/s"))


def pretty(text: str) -> str:
    """ASCII units as people write them, kept on one line with their number."""
    for plain, nice in _UNITS:
        text = re.sub(rf" {re.escape(plain)}\b", f"\N{NO-BREAK SPACE}{nice}", text)
    return text


ENVIRONMENT = Environment(
    loader=PackageLoader("esus_pipeline.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["pretty"] = pretty
