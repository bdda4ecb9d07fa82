"""Unknown keys: where each known key lives, what other tools call it, and what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdtrain.errors import nearest
from gdtrain.experiment.axes import Axes, Axis
from gdtrain.experiment.checkpoint import Checkpoint
from gdtrain.experiment.data import Data
from gdtrain.experiment.network import Network
from gdtrain.experiment.objective import Loss, Penalty
from gdtrain.experiment.optimizers import Optimizer
from gdtrain.experiment.parameters import Param, Start
from gdtrain.experiment.schedules import Clip, Schedule
from gdtrain.experiment.schema import Experiment, Predict, Regress, Train
from gdtrain.experiment.split import Split
from gdtrain.experiment.stop import Stop
from gdtrain.experiment.uncertainty import Uncertainty

OPTIMIZER = "train.optimizer"
SCHEDULE = "train.schedule"
CLIP = "train.clip"
AXIS = "sweep.axes.*"
SPLIT = "data.split"
SECTIONS: Mapping[str, Sequence[str]] = {
    "": list(Experiment.model_fields),
    "train": list(Train.model_fields),
    "stop": list(Stop.model_fields),
    "uncertainty": list(Uncertainty.model_fields),
    "data": list(Data.model_fields),
    "regress": list(Regress.model_fields),
    "model": list(Network.model_fields),
    "loss": list(Loss.model_fields),
    "penalty": list(Penalty.model_fields),
    "predict": list(Predict.model_fields),
    "checkpoint": list(Checkpoint.model_fields),
    OPTIMIZER: list(Optimizer.model_fields),
    "params.*": list(Param.model_fields),
    "params.*.start": list(Start.model_fields),
    "sweep": list(Axes.model_fields),
    AXIS: list(Axis.model_fields),
    SCHEDULE: list(Schedule.model_fields),
    CLIP: list(Clip.model_fields),
    SPLIT: list(Split.model_fields),
}
_HOMES = {section: names for section, names in SECTIONS.items() if section != AXIS}  # an axis has no keys of its own
# What other tools call a key, and files of the first hour.
ALIASES = {
    **dict.fromkeys(("learning_rate", "eta", "eta0", "alpha0", "learning_rate_init"), "train.lr"),
    **dict.fromkeys(
        (
            "max_iter",
            "n_iter",
            "steps",
            "passes",
            "iterations",
            "num_epochs",
            "n_epochs",
            "max_epochs",
            "niter",
        ),
        "train.epochs",
    ),
    **dict.fromkeys(("optim", "solver", "method", "optimiser", "algorithm"), OPTIMIZER),
    **dict.fromkeys(("random_state", "random_seed"), "train.seed"),
    **dict.fromkeys(("batch", "batchsize", "minibatch", "mini_batch_size", "minibatch_size"), "train.batch_size"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule"), SCHEDULE),
    **dict.fromkeys(("grad_clip", "clip_grad", "gradient_clip_val"), CLIP),
    **dict.fromkeys(("max_norm", "clip_norm", "clipnorm", "clip_grad_norm"), "train.clip.norm"),
    **dict.fromkeys(("clip_value", "clipvalue"), "train.clip.value"),
    **dict.fromkeys(("precision", "float"), "train.dtype"),
    **dict.fromkeys(("conf_level", "confidence", "confidence_level"), "uncertainty.level"),
    **dict.fromkeys(("cov_type", "sandwich", "hc1"), "uncertainty.robust"),
    **dict.fromkeys(("n_boot", "n_bootstrap", "resamples"), "uncertainty.bootstrap"),
    **dict.fromkeys(("yerr", "sigmas", "absolute_sigma"), "data.sigma"),
    **dict.fromkeys(("tol", "tolerance"), "stop.grad_tol"),
    "eps_loss": "stop.loss_tol",
    **dict.fromkeys(("n_iter_no_change", "early_stopping"), "stop.patience"),
    **dict.fromkeys(("restore_best", "restore_best_weights", "keep_best"), "stop.restore"),
    **dict.fromkeys(("validation_fraction", "validation_split", "test_size", "validation"), "data.split.holdout"),
    **dict.fromkeys(("cv", "n_splits", "k_folds", "kfold", "nfolds"), "data.split.folds"),
    **dict.fromkeys(("fit_intercept", "bias"), "regress.intercept"),
    **dict.fromkeys(("parameters", "weights", "init", "variables", "guess", "x0", "p0"), "params"),
    **dict.fromkeys(("criterion", "cost", "objective", "loss_function"), "loss"),
    **dict.fromkeys(("formula", "expression"), "fit"),
    **dict.fromkeys(("equation", "equations", "root"), "solve"),
    **dict.fromkeys(("minimise", "min_of"), "minimize"),
    **dict.fromkeys(("regression", "linear"), "regress"),
    **dict.fromkeys(("regularization", "regularisation", "regularizer", "reg", "elastic_net", "shrinkage"), "penalty"),
    **dict.fromkeys(("ridge", "lambda", "lambda_", "reg_lambda", "l2_reg"), "penalty.l2"),
    **dict.fromkeys(("lasso", "reg_alpha", "l1_reg"), "penalty.l1"),
    **dict.fromkeys(("network", "nn", "mlp"), "model"),
    **dict.fromkeys(("hidden_layers", "hidden_layer_sizes", "hidden_units", "layers", "units"), "model.hidden"),
    **dict.fromkeys(("activation_function", "nonlinearity"), "model.activation"),
    **dict.fromkeys(("title", "label"), "name"),
    **dict.fromkeys(("dataset", "table"), "data"),
    **dict.fromkeys(("file", "csv", "filename"), "data.path"),
    **dict.fromkeys(("sep", "separator"), "data.delimiter"),
    **dict.fromkeys(("names", "colnames"), "data.header"),
    **dict.fromkeys(("na_values", "na", "missing_values", "null"), "data.null_values"),
    **dict.fromkeys(("dropna", "impute", "na_action", "fillna"), "data.missing"),
    **dict.fromkeys(("sample_weights", "case_weights", "freq_weights", "obs_weights"), "data.sample_weight"),
    **dict.fromkeys(("by", "groupby", "groups", "group"), "data.group_by"),
    **dict.fromkeys(("base_margin", "exposure"), "data.offset"),
    **dict.fromkeys(("categories", "categorical", "factors"), "regress.levels"),
    **dict.fromkeys(("standardize", "standardise", "normalize"), "data.scale"),
    **dict.fromkeys(("y", "response", "label_column", "outcome"), "regress.target"),
    **dict.fromkeys(("predictors", "covariates", "inputs"), "regress.features"),
    **dict.fromkeys(("lower", "bounds", "lb"), "params.*.min"),
    **dict.fromkeys(("upper", "ub"), "params.*.max"),
    **dict.fromkeys(("frozen", "constant", "fix"), "params.*.fixed"),
    **dict.fromkeys(("initial", "value0"), "params.*.start"),
}


def remedy(key: str, section: str) -> str:
    """What to write in place of `key`, which a section of SECTIONS does not have."""
    here = SECTIONS[section]
    home = place_of(key)
    if home:
        inside, _, name = home.rpartition(".")
        if inside == section and name in here:
            return f"did you mean {name}?"
        if name != key:
            return f"did you mean {name}, {_belongs(inside)}?"
        return f"{key} belongs {_belongs(inside)}"
    if close := nearest(key, here):
        return f"did you mean {close}?"
    if close := nearest(key, (name for names in _HOMES.values() for name in names)):
        return f"did you mean {close}, {_belongs(_home(close).rpartition('.')[0])}?"
    return f"the keys here are {', '.join(here)}"


def place_of(key: str) -> str:
    """The dotted place of a key, or of what other tools call it; "" where it is unknown."""
    return ALIASES.get(key) or _home(key)


def _home(key: str) -> str:
    """The dotted place of a known key, "" where it is unknown."""
    section = next((section for section, names in _HOMES.items() if key in names), None)
    return "" if section is None else f"{section}.{key}".lstrip(".")


def _belongs(section: str) -> str:
    return _PLACES.get(section, f"under {section}")


_PLACES = {
    "": "at the top level",
    "params.*": "under a parameter, params: {w: {...}}",
    "params.*.start": "under start, start: {...}",
}
