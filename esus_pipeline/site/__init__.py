"""What building this is. `load_site` reads a site folder; `Site` is its typed description."""

from esus_pipeline.site.calendar import Calendar
from esus_pipeline.site.load import SiteError, builtin_sites, load_site
from esus_pipeline.site.model import Facade, Room, ShadeFeedback, ShadeGroup, Site, Window
from esus_pipeline.site.point import Point
from esus_pipeline.site.quantities import Quantity

__all__ = [
    "Calendar",
    "Facade",
    "Point",
    "Quantity",
    "Room",
    "ShadeFeedback",
    "ShadeGroup",
    "Site",
    "SiteError",
    "Window",
    "builtin_sites",
    "load_site",
]
