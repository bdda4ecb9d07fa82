"""How far the parameters of a fit can be trusted: standard errors, intervals, and the reason where there are none."""

from gdtrain.uncertainty.fitted import Fitted
from gdtrain.uncertainty.inference import uncertainty_of

__all__ = ["Fitted", "uncertainty_of"]
