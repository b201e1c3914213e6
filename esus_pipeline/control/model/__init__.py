"""Models of rooms: what a room's temperature does with weather, heat, sun and people, learned from its readings.

`room_model` is the model itself and what is assumed of a room before anything is learned.
"""

from esus_pipeline.control.model.room_model import PARAMETERS, RoomModel, discretise, heat_from_valve

__all__ = ["PARAMETERS", "RoomModel", "discretise", "heat_from_valve"]
