"""A loss near a point: its curvature, its rows as least squares, its residuals and their derivatives."""
