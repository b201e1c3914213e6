"""Models of rooms: what a room's temperature does with weather, heat, sun and people, learned from its readings.

`room_model` is the model and what is assumed of a room before anything is learned; `history` gathers what is known of a
room's past; `identification` learns from it; `kalman` says how the room is now; `score` how well a model predicts.
"""

from esus_pipeline.control.model.history import History, gains_of_the_past, room_history, weather_of_the_past
from esus_pipeline.control.model.identification import Identified, TooLittleDataError, identify
from esus_pipeline.control.model.kalman import State, estimate
from esus_pipeline.control.model.room_model import PARAMETERS, RoomModel, discretise, heat_from_valve
from esus_pipeline.control.model.score import Score, score

__all__ = [
    "PARAMETERS",
    "History",
    "Identified",
    "RoomModel",
    "Score",
    "State",
    "TooLittleDataError",
    "discretise",
    "estimate",
    "gains_of_the_past",
    "heat_from_valve",
    "identify",
    "room_history",
    "score",
    "weather_of_the_past",
]
