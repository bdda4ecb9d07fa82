"""Rows predicted by a result that was saved, in blocks: any number of them in the memory of a few."""

from gdtrain.prediction.rows import Asked, Predictor, Rows
from gdtrain.prediction.writers import FORMATS, form_of, writer

__all__ = ["FORMATS", "Asked", "Predictor", "Rows", "form_of", "writer"]
