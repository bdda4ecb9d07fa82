"""How a trained problem predicts, as a result document holds it: enough to predict rows without the table it came from.

Shapes: Q reported parameters, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.data.classes import Classes
from gdtrain.data.fresh import Fresh
from gdtrain.data.rows import Data
from gdtrain.errors import UserError
from gdtrain.experiment.features import targets_of
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.load import load
from gdtrain.experiment.names import Names, has_classes, settle
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import names as formula_names
from gdtrain.formula import to_text
from gdtrain.losses import Loss
from gdtrain.losses.labels import class_names
from gdtrain.problem.parameters import build_parameters
from gdtrain.problem.predicting import predicting_of
from gdtrain.problem.problem import Predicting, loss_of, zero_like

_AGAIN = "save it again: gdtrain run FILE --format json > result.json"
# Keys of `data` that say how a table is read, and what its rows are worth.
_READ = {
    *("delimiter", "header", "comment", "null_values", "missing"),
    *("sample_weight", "weight_type", "sigma", "offset"),
}


def predictor_document(experiment: Experiment, data: Data) -> dict[str, Any] | None:
    """The `predictor` section of a result document; None of what predicts nothing, and of a module, which is code."""
    if (experiment.fit is None and experiment.regress is None) or data.module is not None:
        return None
    told: dict[str, Any] = {}
    if experiment.fit is not None:
        told["fit"] = experiment.fit
    if experiment.regress is not None:
        kept = experiment.regress.model_dump(include={"target", "features", "intercept", "unseen"})
        told["regress"] = kept | ({"features": data.names.terms} if kept["features"] == ["*"] else {})
    if experiment.model is not None:
        told["model"] = experiment.model.model_dump(exclude_none=True)
    if experiment.loss is not None:
        told["loss"] = experiment.loss.model_dump(exclude_none=True)
    tied = {name: param.expr for name, param in experiment.params.items() if param.expr is not None}
    texts = {name: list(levels) for name, levels in data.names.levels.items()}
    classes = [] if data.classes is None or set(targets_of(experiment)) & set(texts) else data.classes.values_K.tolist()
    spec = experiment.data
    read = {} if spec is None else spec.model_dump(include=_READ, exclude_none=True, exclude_defaults=True)
    means = dict(data.fresh.means)
    more = {"data": read, "tied": tied, "levels": texts, "classes": classes, "means": means}
    return told | {key: value for key, value in more.items() if value}


@dataclass(frozen=True)
class Portable:
    """A trained problem that was restored from its document.

    experiment  what is needed of it to predict
    predicting  rows by the values values_Q
    fresh       how rows are read
    targets     what is predicted; `columns` of the table it is made of
    labels      texts that the numbers of a target stand for, of targets that are text
    classes     of the target of `softmax`
    centred     whether R2 is held against the targets' mean
    """

    experiment: Experiment
    names: Names
    predicting: Predicting
    values_Q: Tensor
    fresh: Fresh
    targets: Sequence[str]
    columns: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    classes: Classes | None
    centred: bool

    @property
    def loss(self) -> Loss:
        return loss_of(self.experiment)

    @property
    def free(self) -> list[str]:
        """Names of the trained parameters."""
        return [name for name in self.names.parameters if self.experiment.param(name).trained]


def restored(document: Mapping[str, Any], where: str) -> Portable:
    """The trained problem of a result document; `where` is what messages call it.

    Raises UserError where the document does not say how to predict, or has no numbers to predict by.
    """
    if document["kind"] not in ("fit", "regress"):
        raise UserError(f"{document['kind']} predicts nothing", where=where, remedy="name a result of fit or regress")
    if "predictor" not in document:
        what = "does not say how to predict: results of a torch module do not, nor did earlier documents"
        raise UserError(what, where=where, remedy=_AGAIN)
    try:
        return _restored(document)
    except UserError as error:
        raise UserError(f"its predictor is wrong: {error.what}", where=where, remedy=_AGAIN) from None


def _restored(document: Mapping[str, Any]) -> Portable:
    told, columns = document["predictor"], document["data"]["columns"]
    levels = told.get("levels", {})
    experiment = load(_mapping(document), framed=True)
    targets, target_columns = _targets(experiment)
    classes = _classes(experiment, document)
    names = settle(experiment, columns, levels, None if classes is None else classes.names)
    experiment = experiment.with_starts(names.parameters)
    data, like = Data(names, None, experiment, classes), zero_like(experiment)
    parameters = build_parameters(experiment, names.parameters, like=like)
    values = [document["params"][name]["value"] for name in names.parameters]
    if not all(isinstance(value, float | int) and math.isfinite(value) for value in values):  # others are texts
        raise UserError("its parameters are not finite")
    regress = experiment.regress
    labels = {n: levels[column] for n, column in zip(targets, target_columns, strict=False) if column in levels}
    if classes is None and any(len(texts) != 2 for texts in labels.values()):
        raise ValueError("a label is one of two")
    return Portable(
        experiment=experiment,
        names=names,
        predicting=predicting_of(experiment, data, parameters),
        values_Q=torch.tensor(values, dtype=torch.float64).to(like),
        fresh=Fresh(
            names,
            experiment.data.missing if experiment.data else "error",
            told.get("means", {}),
            unseen=regress is not None and regress.unseen == "reference",
            designed=regress is not None,
        ),
        targets=targets,
        columns=target_columns,
        labels=labels,
        classes=classes,
        centred=regress is None or regress.intercept or experiment.model is not None,
    )


def _mapping(document: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment as far as predictions need it: with its numbers, where a formula names parameters."""
    told, tied = document["predictor"], document["predictor"].get("tied", {})
    params: dict[str, Any] = {name: {"expr": expr} for name, expr in tied.items()}
    for name, param in document["params"].items():
        if name not in params and ("fit" in told or param.get("fixed") or tied):
            params[name] = {"start": param["value"], "fixed": param.get("fixed", False)}
    sections = {key: told[key] for key in ("fit", "regress", "model", "loss", "data") if key in told}
    return sections | {"params": params, "train": {"dtype": document["dtype"]}}


def _targets(experiment: Experiment) -> tuple[list[str], list[str]]:
    """What is predicted, and the columns that it is made of."""
    if experiment.regress is not None:
        return experiment.regress.target, experiment.regress.target
    left = sides("fit", experiment.fit or "")[0]
    return [to_text(left)], [*formula_names(left)]


def _classes(experiment: Experiment, document: Mapping[str, Any]) -> Classes | None:
    """Those of the target of `softmax`: texts, else numbers."""
    if not has_classes(experiment):
        return None
    told, (target,) = document["predictor"], targets_of(experiment)
    if target in told.get("levels", {}):
        return Classes.of_texts(told["levels"][target])
    values_K = np.array(told["classes"], dtype=np.float64)
    return Classes(values_K, class_names(values_K))
