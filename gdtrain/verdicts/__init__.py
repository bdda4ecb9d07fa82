"""How a descent ended, and what can be said of it: roots, minima, curvature, last digits."""
