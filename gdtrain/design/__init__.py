"""Rows to the columns that a problem is posed over: gaps dropped or filled, indicators, expressions, interactions.

Shapes: N rows, n rows of a block.
"""
