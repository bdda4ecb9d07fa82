"""A saved result to the text of its model in one of the languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gdtrain.errors import UserError
from gdtrain.export import latex, python, sql
from gdtrain.export.build import model_of
from gdtrain.export.model import Model
from gdtrain.problem.portable import restored

LANGUAGES: Mapping[str, Callable[[Model], str]] = {"python": python.written, "sql": sql.written, "latex": latex.written}


def export(document: Mapping[str, Any], where: str, language: str) -> str:
    """The model of a result document in a language of LANGUAGES, with a final newline.

    Raises UserError where the document predicts nothing, or the language lacks what the model calls; `where` is what
    messages call the document.
    """
    try:
        model = model_of(restored(document, where), f"{document['name']}: {document['kind']} {document['statement']}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        remedy = "save it again: gdtrain run FILE --format json > result.json"
        raise UserError("is damaged: its sections do not fit together", where=where, remedy=remedy) from None
    return LANGUAGES[language](model)
