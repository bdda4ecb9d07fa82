"""Experiment and data to objective: the one join of formula, data and loss.

Shapes: S trials, P trained parameters, Q reported ones, N rows, F features, T targets, E equations.
"""
