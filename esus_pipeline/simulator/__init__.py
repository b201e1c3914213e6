"""A building that answers: a twin of TMV23, or a recording, behind the real HTTP interfaces.

Belongs here: everything that stands in for the outside world. It shares the wire format with the rest of the package,
never code; only facts come from `esus_pipeline.site`.
"""

from esus_pipeline.simulator.app import create_app
from esus_pipeline.simulator.config import SimulatorConfig

__all__ = ["SimulatorConfig", "create_app"]
