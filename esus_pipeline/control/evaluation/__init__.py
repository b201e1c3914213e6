"""What a controller is worth: the real controller code in a closed loop against a plant that is not its model.

`protocol` is the border between the two: implement `Plant` to bring a building, `Controller` to bring a controller.
"""
