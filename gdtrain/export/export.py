"""A saved result to the text of its model in one of the languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gdtrain.errors import UserError
from gdtrain.export import latex, python, sql
from gdtrain.export.build import model_of
from gdtrain.export.model import Model
from gdtrain.prediction.models import restored_model
from gdtrain.results.saved import undamaged

LANGUAGES: Mapping[str, Callable[[Model], str]] = {"python": python.written, "sql": sql.written, "latex": latex.written}


def export(document: Mapping[str, Any], where: str, language: str) -> str:
    """The model of a result document, of a run or of groups, in a language of LANGUAGES, with a final newline.

    Raises UserError where the document predicts nothing, or the language lacks what the model calls; `where` is what
    messages call the document.
    """
    portable, _ = restored_model(document, where, None)
    with undamaged(where):
        by = f", by {document['group_by']}" if "group_by" in document else ""
        model = model_of(portable, f"{document['name']}: {document['kind']} {document['statement']}{by}")
    if model.groups is not None and language == "latex":
        remedy = "save one of its `trials` alone, or export it --to python"
        raise UserError("a formula shows the fit of one group", where="--to", remedy=remedy)
    return LANGUAGES[language](model)
