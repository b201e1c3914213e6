"""Buildings to close the loop on (see control.evaluation.protocol). No controller and no score knows one of them.

`rc` is linear and has a perfect-foresight bound, `energyplus` is a building simulation that shares nothing with the
controllers' models. Both live in the twin's weather or in that of an EPW file, with forecasts that err.
"""
