"""The Python API: the same experiments, from a file, a dict or a line, with data from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gdtrain.errors import UserError
from gdtrain.expectations.grammar import parse_expectation
from gdtrain.expectations.held import hold
from gdtrain.experiment.grouped import is_grouped
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.shorthands import ALONE, KEYS
from gdtrain.results import GroupsResult, Result, SweepResult

# Keywords that are shorthand for one key of the experiment; every other is a dotted key itself.
SHORT = {**KEYS, **ALONE, "scale": "data.scale"}

Source = str | Path | Mapping[str, Any]


def run(
    experiment: Source,
    *,
    data: object | None = None,
    model: object | None = None,
    every: int | None = None,
    gradients: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    **overrides: Any,
) -> Result:
    """Train the experiment in a YAML file, or a dict of the same keys.

    data       a polars or pandas DataFrame, or a dict of arrays (N,), in place of the experiment's data; or a path
    model      of `regress`: hidden layers, {"hidden": [32, 32]}; or a torch.nn.Module of your own, which takes the
               features as columns (N, F) and gives predictions (N,), (N, T) or scores of classes (N, K). It is trained
               from where it is, with its dtype and on its device, and ends with the weights of the result
    every      show each so many epochs in the document, in place of all or about twenty
    gradients  keep gradients in the history too
    out        a folder that keeps the run, in place of the experiment's; with `checkpoint=30` it is saved on its way
               every 30 seconds, and `resume` goes on with it; `force` replaces a run that is kept there
    overrides  keys of the experiment: `lr=0.1`, `epochs=50`, `optimizer={"name": "sgd", "momentum": 0.9}`,
               `params={"w": 0.0}`, or dotted: `**{"train.schedule.name": "cosine"}`

    Raises gdtrain.errors.UserError where experiment or data is wrong, or the folder cannot be written. A run that
    diverges is a Result that says so, and `expectations` says whether those of the file were met.
    """

    layers = {"model": model} if isinstance(model, Mapping) else {}
    frame, overrides = _framed(data, {**overrides, **layers})
    loaded = load(experiment, _settings(overrides), framed=frame is not None)
    if is_grouped(loaded):
        raise UserError("each group is a run of its own", where="group_by", remedy="call gdtrain.groups")
    result = _trained(loaded, frame, None if layers else model, out, force=force, every=every, gradients=gradients)
    _hold(loaded, result)
    return result


def _trained(
    experiment: Experiment,
    frame: Any,
    module: Any,
    out: str | Path | None,
    *,
    force: bool,
    every: int | None,
    gradients: bool,
) -> Result:
    """Train an experiment, in its folder where it has one."""
    from gdtrain.train import train

    if (out := _place(experiment, out)) is None:
        return train(experiment, frame=frame, every=every, gradients=gradients, module=module)
    if module is not None:
        raise UserError("a module of your own is not kept", where="out", remedy="save it with torch.save")
    from gdtrain.saved import Saved

    with Saved.new(experiment, out, force=force, every=every, gradients=gradients, frame=frame) as saved:
        return saved.train(frame=frame)


def _place(experiment: Experiment, out: str | Path | None) -> str | Path | None:
    """The folder that keeps what comes of an experiment, if any."""
    return experiment.locate(experiment.out) if out is None and experiment.out is not None else out


def resume(folder: str | Path, **overrides: Any) -> Result:
    """Go on with the run that a folder keeps, to the same end as if it had never stopped.

    overrides  `epochs=2000`, so many in all; `checkpoint=30`, seconds between checkpoints

    Raises gdtrain.errors.UserError where the folder holds no run, where its data or its checkpoint are not what they
    were, and where it cannot be written.
    """
    from gdtrain.saved import Saved

    with Saved.resumed(folder, _settings(overrides)) as saved:
        if saved.grouped:
            raise UserError(f"{folder} holds a fit of groups", where="resume", remedy=f"type gdtrain resume {folder}")
        result = saved.train()
    _hold(saved.experiment, result)
    return result


def sweep(
    experiment: Source | None = None,
    *,
    data: object | None = None,
    starts: int | None = None,
    zip: bool = False,
    random: int | None = None,
    rank_by: str | None = None,
    top: int | None = None,
    memory: int | None = None,
    out: str | Path | None = None,
    every: int | None = None,
    gradients: bool = False,
    **axes: Any,
) -> SweepResult:
    """Train an experiment with many values of its keys at once: `sweep("linear.yaml", lr=[1e-3, 1e-2])`.

    experiment  as for `run`; gdtrain.yaml here, else a built-in example, unless given
    data        as for `run`
    starts      in place of axes: so many random starts; `found` are the distinct roots or minima
    zip         pair the values of the axes, in place of every combination
    random      draw so many points: axes are `{"loguniform": [a, b]}`, `{"uniform": ...}` or lists to choose from
    rank_by     what ranks the trials in place of the loss (held-out where rows are): "epochs", a parameter, a dotted
                path of the result document; "-w" largest first
    top         list so many of the best in the document
    memory      bytes that trials side by side may take; a quarter of the machine's unless given
    out         a folder that keeps finished trials, and from which they are taken when it is swept again
    every, gradients  of each trial's history, as for `run`
    axes        keys of the experiment as for `run`; one that is a list, an array or a range is an axis, and so is
                `{"geomspace": [1e-4, 1, 13]}` or "geomspace:1e-4:1:13"

    Raises gdtrain.errors.UserError where experiment, axes or data are wrong. A trial that diverges is one that says so.
    """
    from gdtrain.experiment.sweep import load_sweep, usual_source
    from gdtrain.results.ranking import check_metric
    from gdtrain.sweeps.starts import train_starts
    from gdtrain.sweeps.sweeping import Request
    from gdtrain.sweeps.sweeping import sweep as train_sweep
    from gdtrain.tables import Tables

    source, called = usual_source() if experiment is None else (experiment, _called(experiment))
    if callable(axes.get("model")):
        raise UserError("a sweep takes no module", where="model", remedy="train one at a time, with regress")
    frame, axes = _framed(data, axes)
    flags = [AxisFlag.of_values(SHORT.get(key, key), values, key) for key, values in axes.items() if values is not None]
    spec = load_sweep(source, (), flags, zipped=zip, random=random, framed=frame is not None)
    request = Request(called, every, gradients, rank_by=rank_by, top=top, memory=memory, out=out)

    def ready(parameters: Sequence[str]) -> None:
        if rank_by is not None:
            check_metric(rank_by, parameters)

    if starts is not None and spec.axes:
        raise UserError(f"{spec.axes[0]} is swept too", where="starts", remedy="give it one value")
    if starts is not None:
        result = train_starts(spec.experiment, starts, request, Tables(frame), ready=ready)
        _hold(spec.experiment, result)
        return result
    if not spec.axes:
        raise UserError("there is nothing to sweep", where="sweep", remedy="give a key several values: lr=[1e-3, 1e-2]")
    result = train_sweep(spec, request, Tables(frame), ready=ready)
    _hold(spec.experiment, result)
    return result


def groups(
    experiment: Source,
    by: str | None = None,
    *,
    data: object | None = None,
    every: int | None = None,
    gradients: bool = False,
    top: int | None = None,
    out: str | Path | None = None,
    force: bool = False,
    **overrides: Any,
) -> GroupsResult:
    """Fit each group of rows alone: `groups({"fit": "y = a*x + b"}, "city", data=frame).frame` has a row for each.

    experiment, data, every, gradients, out, force, overrides  as for `run`
    by   the column that tells the groups apart; `data.group_by` of the experiment unless given
    top  list so many groups in the document

    Raises gdtrain.errors.UserError where experiment or data is wrong. A group that goes wrong is one that says so.
    """
    from gdtrain.bygroup import fit_groups
    from gdtrain.tables import Tables

    frame, overrides = _framed(data, {"group_by": by, **overrides})
    loaded = load(experiment, _settings(overrides), framed=frame is not None)
    if not is_grouped(loaded):
        raise UserError("no column tells groups apart", where="groups", remedy="name it: groups(experiment, 'city')")
    fit = partial(fit_groups, source=_called(experiment), every=every, gradients=gradients, top=top)
    if (place := _place(loaded, out)) is None:
        result = fit(loaded, Tables(frame))
    else:
        from gdtrain.saved import Saved

        with Saved.new(loaded, place, force=force, every=every, gradients=gradients, frame=frame) as saved:
            result = saved.kept(partial(fit, loaded, Tables(frame), progress=saved.progress))
    _hold(loaded, result)
    return result


def solve(equations: str | Sequence[str], **overrides: Any) -> Result:
    """Find numbers that make equations true: `solve("x + 1 = 3", params={"x": 0.0})`."""
    texts = [equations] if isinstance(equations, str) else list(equations)
    return run({"solve": texts}, **overrides)


def fit(formula: str, data: object, **overrides: Any) -> Result:
    """Fit a formula to rows: `fit("y = w*x", {"x": [1, 2], "y": [2, 4]})`. `data` as for `run`."""
    return run({"fit": formula}, data=data, **overrides)


def regress(
    data: object,
    target: str | Sequence[str],
    features: Sequence[str] | None = None,
    *,
    intercept: bool = True,
    **overrides: Any,
) -> Result:
    """Regress one column or several on others; `features` None: on all other columns. `data`, `model` as for `run`."""
    targets = [target] if isinstance(target, str) else list(target)
    predictor: dict[str, Any] = {"target": targets, "intercept": intercept}
    if features is not None:
        predictor["features"] = list(features)
    return run({"regress": predictor}, data=data, **overrides)


def minimize(expression: str, *, data: object | None = None, **overrides: Any) -> Result:
    """Find numbers that make an expression small: `minimize("(1 - x)^2 + (y - 2)^2")`. `data` as for `run`."""
    return run({"minimize": expression}, data=data, **overrides)


def _framed(data: object | None, overrides: Mapping[str, Any]) -> tuple[object | None, dict[str, Any]]:
    """Rows that stand in for the experiment's, and the overrides; a path is one of them."""
    if isinstance(data, str | Path):
        return None, {"data.path": str(Path(data).absolute()), **overrides}
    return data, dict(overrides)


def _settings(overrides: Mapping[str, Any]) -> list[Override]:
    return [Override(SHORT.get(key, key), value, key) for key, value in overrides.items() if value is not None]


def _hold(experiment: Experiment, result: Result | SweepResult) -> None:
    """Put into `expectations` what the experiment expects, and whether it was met."""
    hold([parse_expectation(text) for text in experiment.expect], result)


def _called(experiment: Source) -> str:
    return "a mapping" if isinstance(experiment, Mapping) else str(experiment)
