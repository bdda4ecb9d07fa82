"""A fitted model in another language: Python without torch, SQL, LaTeX."""

from gdtrain.export.export import LANGUAGES, export

__all__ = ["LANGUAGES", "export"]
