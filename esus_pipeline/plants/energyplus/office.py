"""The office as EnergyPlus sees it: six heavy rooms, one facade each, double low-e glass, exterior screens.

Inner walls, floor and ceiling are adiabatic: the rooms around are as warm. Belongs here: the epJSON model and the names
in it. Does not belong here: anything that changes while it runs.
"""

from datetime import date, timedelta
from typing import Any

from esus_pipeline.site import Room, Site

STEPS_PER_HOUR = 12
WIDTH, DEPTH, HEIGHT = 4.0, 6.0, 2.8
WINDOW_WIDTH, WINDOW_HEIGHT, SILL = 3.6, 1.78, 0.85
LAYERS: dict[str, tuple[float, float, float, float, str]] = {
    "concrete": (0.20, 1.7, 2300.0, 880.0, "MediumRough"),
    "half slab": (0.12, 1.7, 2300.0, 880.0, "MediumRough"),
    "carpet": (0.006, 0.06, 200.0, 1300.0, "Rough"),
    "insulation": (0.15, 0.037, 40.0, 850.0, "MediumRough"),
    "brick": (0.108, 0.8, 1800.0, 840.0, "Rough"),
    "gypsum": (0.025, 0.21, 900.0, 1000.0, "Smooth"),
}
"""Thickness m, conductivity W/(m K), density kg/m3, heat capacity J/(kg K), roughness."""
CONSTRUCTIONS = {
    "facade": ["brick", "insulation", "concrete"],
    "floor": ["half slab", "carpet"],
    "ceiling": ["half slab"],
    "partition": ["gypsum", "gypsum"],
    "glazing": ["pane", "argon", "low-e pane"],
    "shaded glazing": ["screen", "pane", "argon", "low-e pane"],
}
HEATS = {"radiator": 0.35, "cooling": 0.0, "supply": 0.0, "plug": 0.2}
"""Heat that the services bring into a room -> its radiant share."""


def model(site: Site, begin: date, days: int) -> dict[str, Any]:
    """The epJSON document for a run of at most `days` from `begin` on; all times are UTC."""
    end = begin + timedelta(days=days - 1)
    found: dict[str, Any] = {
        "Version": {"version": {"version_identifier": "25.2"}},
        "Building": {"office": {"terrain": "Suburbs", "solar_distribution": "MinimalShadowing", "north_axis": 0.0}},
        "Timestep": {"timestep": {"number_of_timesteps_per_hour": STEPS_PER_HOUR}},
        "SimulationControl": {
            "control": {
                "do_zone_sizing_calculation": "No",
                "run_simulation_for_sizing_periods": "No",
                "run_simulation_for_weather_file_run_periods": "Yes",
            }
        },
        "GlobalGeometryRules": {
            "rules": {
                "starting_vertex_position": "UpperLeftCorner",
                "vertex_entry_direction": "Counterclockwise",
                "coordinate_system": "World",
            }
        },
        "RunPeriod": {
            "run": {
                "begin_month": begin.month,
                "begin_day_of_month": begin.day,
                "begin_year": begin.year,
                "end_month": end.month,
                "end_day_of_month": end.day,
                "end_year": end.year,
                "use_weather_file_daylight_saving_period": "No",
                "use_weather_file_holidays_and_special_days": "No",
            }
        },
        "ScheduleTypeLimits": {"any": {}},
        "Schedule:Constant": {
            "always": {"schedule_type_limits_name": "any", "hourly_value": 1.0},
            "never": {"schedule_type_limits_name": "any", "hourly_value": 0.0},
            "activity": {"schedule_type_limits_name": "any", "hourly_value": 120.0},
        },
        "ZoneCapacitanceMultiplier:ResearchSpecial": {"furniture": {"temperature_capacity_multiplier": 5.0}},
        "OutputControl:Files": {
            "files": dict.fromkeys(("output_csv", "output_mtr", "output_eio", "output_sqlite"), "No")
        },
        **_materials(),
    }
    for place, room in enumerate(site.rooms):
        for kind, objects in _room(room, place).items():
            found.setdefault(kind, {}).update(objects)
    return found


def _materials() -> dict[str, Any]:
    opaque = {
        name: {
            "roughness": roughness,
            "thickness": thickness,
            "conductivity": conductivity,
            "density": density,
            "specific_heat": capacity,
            "thermal_absorptance": 0.9,
            "solar_absorptance": 0.6,
        }
        for name, (thickness, conductivity, density, capacity, roughness) in LAYERS.items()
    }
    layered = {}
    for name, layers in CONSTRUCTIONS.items():
        keys = ["outside_layer", *(f"layer_{number}" for number in range(2, len(layers) + 1))]
        layered[name] = dict(zip(keys, layers, strict=True))
    return {
        "Material": opaque,
        "Construction": layered,
        "WindowMaterial:Glazing": {
            "pane": _pane(0.80, 0.07, 0.07, 0.84, 0.84),
            "low-e pane": _pane(0.58, 0.19, 0.22, 0.05, 0.84),
        },
        "WindowMaterial:Gas": {"argon": {"gas_type": "Argon", "thickness": 0.016}},
        "WindowMaterial:Shade": {
            "screen": {
                "solar_transmittance": 0.06,
                "solar_reflectance": 0.35,
                "visible_transmittance": 0.05,
                "visible_reflectance": 0.35,
                "infrared_hemispherical_emissivity": 0.9,
                "infrared_transmittance": 0.05,
                "thickness": 0.001,
                "conductivity": 0.2,
                "shade_to_glass_distance": 0.1,
                "top_opening_multiplier": 0.7,
                "bottom_opening_multiplier": 0.7,
                "left_side_opening_multiplier": 0.3,
                "right_side_opening_multiplier": 0.3,
                "airflow_permeability": 0.05,
            }
        },
    }


def _pane(through: float, front: float, back: float, front_ir: float, back_ir: float) -> dict[str, Any]:
    return {
        "optical_data_type": "SpectralAverage",
        "thickness": 0.004,
        "solar_transmittance_at_normal_incidence": through,
        "front_side_solar_reflectance_at_normal_incidence": front,
        "back_side_solar_reflectance_at_normal_incidence": back,
        "visible_transmittance_at_normal_incidence": 0.85,
        "front_side_visible_reflectance_at_normal_incidence": 0.08,
        "back_side_visible_reflectance_at_normal_incidence": 0.08,
        "infrared_transmittance_at_normal_incidence": 0.0,
        "front_side_infrared_hemispherical_emissivity": front_ir,
        "back_side_infrared_hemispherical_emissivity": back_ir,
        "conductivity": 0.9,
    }


def _room(room: Room, place: int) -> dict[str, dict[str, Any]]:
    """All objects of one room, by type."""
    return {"Zone": {room.id: {}}, **_envelope(room, place), **_heat(room), **_outdoor_air(room)}


def _envelope(room: Room, place: int) -> dict[str, dict[str, Any]]:
    """Surfaces, window and screen. A room stands 60 m from the next one so that none shades another."""
    name, facing = room.id, room.windows[0].facade
    corner = (60.0 * place, 60.0 * place)
    walls = {side: _wall(corner, side) for side in ("south", "east", "north", "west")}
    surfaces = {
        f"{name} {side}": _surface(name, "Wall", points, outside=side == facing) for side, points in walls.items()
    }
    x, y = corner
    flat = [(x, y + DEPTH), (x, y), (x + WIDTH, y), (x + WIDTH, y + DEPTH)]
    surfaces[f"{name} ceiling"] = _surface(name, "Ceiling", [(*point, HEIGHT) for point in flat])
    surfaces[f"{name} floor"] = _surface(name, "Floor", [(*point, 0.0) for point in reversed(flat)])
    return {
        "BuildingSurface:Detailed": surfaces,
        "FenestrationSurface:Detailed": {
            f"{name} window": {
                "surface_type": "Window",
                "construction_name": "glazing",
                "building_surface_name": f"{name} {facing}",
                "number_of_vertices": 4,
                **_window(walls[facing]),
            }
        },
        "WindowShadingControl": {
            f"{name} screen": {
                "zone_name": name,
                "shading_type": "ExteriorShade",
                "construction_with_shading_name": "shaded glazing",
                "shading_control_type": "OnIfScheduleAllows",
                "schedule_name": "never",
                "shading_control_is_scheduled": "Yes",
                "fenestration_surfaces": [{"fenestration_surface_name": f"{name} window"}],
            }
        },
    }


def _heat(room: Room) -> dict[str, dict[str, Any]]:
    """People, lights, and what radiator, cooling and equipment give; the plant sets their levels."""
    name = room.id
    return {
        "People": {
            f"{name} people": {
                "zone_or_zonelist_or_space_or_spacelist_name": name,
                "number_of_people_schedule_name": "always",
                "number_of_people_calculation_method": "People",
                "number_of_people": room.occupants,
                "fraction_radiant": 0.3,
                "activity_level_schedule_name": "activity",
            }
        },
        "Lights": {
            f"{name} lights": {
                "zone_or_zonelist_or_space_or_spacelist_name": name,
                "schedule_name": "always",
                "design_level_calculation_method": "LightingLevel",
                "lighting_level": 0.0,
                "fraction_radiant": 0.4,
                "fraction_visible": 0.2,
            }
        },
        "OtherEquipment": {
            f"{name} {heat}": {
                "zone_or_zonelist_or_space_or_spacelist_name": name,
                "schedule_name": "always",
                "design_level_calculation_method": "EquipmentLevel",
                "design_level": 0.0,
                "fraction_radiant": radiant,
            }
            for heat, radiant in HEATS.items()
        },
    }


def _outdoor_air(room: Room) -> dict[str, dict[str, Any]]:
    """Leaks, and the open window."""
    name = room.id
    return {
        "ZoneInfiltration:DesignFlowRate": {
            f"{name} leaks": {
                "zone_or_zonelist_or_space_or_spacelist_name": name,
                "schedule_name": "always",
                "design_flow_rate_calculation_method": "AirChanges/Hour",
                "air_changes_per_hour": 0.08,
                "constant_term_coefficient": 0.5,
                "velocity_term_coefficient": 0.12,
            }
        },
        "ZoneVentilation:DesignFlowRate": {
            f"{name} airing": {
                "zone_or_zonelist_or_space_or_spacelist_name": name,
                "schedule_name": "always",
                "design_flow_rate_calculation_method": "Flow/Zone",
                "design_flow_rate": 0.0,
                "ventilation_type": "Natural",
                "minimum_indoor_temperature": -100.0,
                "delta_temperature": -100.0,
            }
        },
    }


Point = tuple[float, float, float]


def _wall(corner: tuple[float, float], side: str) -> list[Point]:
    """Corners as seen from outside: upper left, lower left, lower right, upper right."""
    x, y = corner
    left, right = {
        "south": ((x, y), (x + WIDTH, y)),
        "east": ((x + WIDTH, y), (x + WIDTH, y + DEPTH)),
        "north": ((x + WIDTH, y + DEPTH), (x, y + DEPTH)),
        "west": ((x, y + DEPTH), (x, y)),
    }[side]
    return [(*left, HEIGHT), (*left, 0.0), (*right, 0.0), (*right, HEIGHT)]


def _window(wall: list[Point]) -> dict[str, float]:
    (x0, y0, _), (x1, y1, _) = wall[1], wall[2]
    length = abs(x1 - x0) + abs(y1 - y0)
    near, far = (length - WINDOW_WIDTH) / 2 / length, (length + WINDOW_WIDTH) / 2 / length
    ends = [(x0 + share * (x1 - x0), y0 + share * (y1 - y0)) for share in (near, far)]
    top = SILL + WINDOW_HEIGHT
    corners = [(*ends[0], top), (*ends[0], SILL), (*ends[1], SILL), (*ends[1], top)]
    return {
        f"vertex_{number}_{axis}_coordinate": value
        for number, corner in enumerate(corners, start=1)
        for axis, value in zip("xyz", corner, strict=True)
    }


def _surface(zone: str, kind: str, corners: list[Point], outside: bool = False) -> dict[str, Any]:
    construction = {"Wall": "partition", "Ceiling": "ceiling", "Floor": "floor"}[kind]
    return {
        "surface_type": kind,
        "construction_name": "facade" if outside else construction,
        "zone_name": zone,
        "outside_boundary_condition": "Outdoors" if outside else "Adiabatic",
        "sun_exposure": "SunExposed" if outside else "NoSun",
        "wind_exposure": "WindExposed" if outside else "NoWind",
        "vertices": [
            {f"vertex_{axis}_coordinate": value for axis, value in zip("xyz", corner, strict=True)}
            for corner in corners
        ],
    }
