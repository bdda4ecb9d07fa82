"""Value and gradient of an expression at a point, by autograd and held against finite differences."""

from __future__ import annotations

from gdtrain.gradient.passes import grad
from gdtrain.gradient.result import BackwardNode, Gradient, Pass

__all__ = ["BackwardNode", "Gradient", "Pass", "grad"]
