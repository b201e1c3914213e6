"""A six-room office in EnergyPlus: real building physics that shares nothing with the controllers' models.

Needs the extra `energyplus`. `office` is the building, `engine` runs EnergyPlus step by step, `services` are its
radiators, cooling, ventilation and lights, `people` are those who open windows and move shades, `plant` ties them
together.
"""

from esus_pipeline.plants.energyplus.plant import EnergyPlusPlant

__all__ = ["EnergyPlusPlant"]
