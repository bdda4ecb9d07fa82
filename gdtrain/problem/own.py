"""A torch module of the user's own in the place of the linear predictor of `regress`.

Its parameters are theta, one tensor after another as `named_parameters` gives them, and start where they are. It is
called on all rows at once, as a loop by hand would, and differentiated by autograd.

Shapes: S trials, P trained parameters, Q reported ones, N rows, F features, T outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gdtrain.data.rows import Data
from gdtrain.errors import UserError
from gdtrain.experiment.network import MOST
from gdtrain.experiment.parameters import Param, Start
from gdtrain.experiment.schema import Experiment
from gdtrain.problem.predictors import Rows, taken
from gdtrain.problem.problem import DTYPES

_WHERE = "model"
_ALL_ROWS = 1 << 62  # whatever a module does, it is not cut to blocks
_EVAL = "call model.eval() first, or leave it out"


@dataclass(frozen=True)
class Own:
    """A module, and how many numbers it predicts for a row: targets, or all of the classes."""

    module: nn.Module
    outputs: int
    sets = 0
    ones = False
    reference = False
    row_numbers = 1

    @property
    def shared(self) -> int:
        """How many parameters it has."""
        return sum(tensor.numel() for tensor in self.module.parameters())

    @property
    def constants(self) -> list[int]:
        """Where the elements of its biases stand among its parameters."""
        found, start = list[int](), 0
        for name, tensor in self.module.named_parameters():
            if name.rpartition(".")[2].startswith("bias"):
                found += range(start, start + tensor.numel())
            start += tensor.numel()
        return found

    @property
    def told(self) -> str:
        return type(self.module).__name__

    def block_rows(self, trials: int) -> int:
        return _ALL_ROWS

    def predictor(self, x_NF: Tensor, free: Sequence[int], weights_Q: Tensor) -> Called:
        _require_steady(self.module, x_NF)
        return Called(self.module, self.outputs, x_NF, free, weights_Q)


class Called:
    """x_NF through a module; theta holds its free parameters. Prediction (S, N) for one output, else (S, N, T)."""

    def __init__(self, module: nn.Module, outputs: int, x_NF: Tensor, free: Sequence[int], weights_Q: Tensor) -> None:
        self._module, self._outputs, self._x = module, outputs, x_NF
        self._trained: list[tuple[str, torch.Size]] = []
        self._held: dict[str, Tensor] = {}
        self._twins: list[tuple[nn.Module, list[Tensor], Tensor]] = []
        start, trained = 0, set(free)
        for name, tensor in module.named_parameters():
            if start in trained:
                self._trained.append((name, tensor.shape))
            elif tensor.numel():
                self._held[name] = weights_Q[start : start + tensor.numel()].view(tensor.shape)
            start += tensor.numel()

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, _Saved]:
        if theta_SP.requires_grad and torch.is_grad_enabled():
            return torch.stack([self._call(s, self._parts(theta_P)) for s, theta_P in enumerate(theta_SP)]), []
        saved = []
        with torch.inference_mode(mode=False), torch.enable_grad():
            for s, theta_P in enumerate(theta_SP):
                twin, leaves, whole_P = self._twin(s)
                whole_P.copy_(theta_P)
                saved.append((self._shaped(twin(self._rows(s))), leaves))
        predictions = [prediction.detach() for prediction, _ in saved]
        return predictions[0][None] if len(saved) == 1 else torch.stack(predictions), saved

    def backward(self, saved: _Saved, slope: Tensor) -> Tensor:
        gradients = []
        with torch.inference_mode(mode=False):
            for (prediction, leaves), slope_N in zip(saved, slope, strict=True):
                found = torch.autograd.grad(prediction, leaves, slope_N.clone(), materialize_grads=True)
                gradients.append(torch.cat([each.flatten() for each in found]))
        return torch.stack(gradients)

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        """(T * N, P), output by output."""

        def outputs(theta_P: Tensor) -> Tensor:
            return self.forward(theta_P[None])[0].view(len(self._x), -1).T.flatten()

        with torch.inference_mode(mode=False), torch.enable_grad():
            theta_P = theta_1P[0].clone().requires_grad_()
            each = [torch.autograd.grad(output, theta_P, retain_graph=True)[0] for output in outputs(theta_P)]
        return torch.stack(each)

    def of(self, rows: Rows) -> Called:
        some = copy(self)
        with torch.inference_mode(mode=False):  # what is made inside of it, autograd refuses
            some._x = taken(self._x, rows)
        return some

    def _parts(self, theta_P: Tensor) -> list[Tensor]:
        parts = torch.split_with_sizes(theta_P, [shape.numel() for _, shape in self._trained])
        return [part.view(shape) for part, (_, shape) in zip(parts, self._trained, strict=True)]

    def _twin(self, s: int) -> tuple[nn.Module, list[Tensor], Tensor]:
        """A copy of the module for a trial to work with, which costs less than a call with other tensors for its own;
        its trained parameters, and the one vector (P,) that holds them.
        """
        while len(self._twins) <= s:
            twin = deepcopy(self._module)
            named = dict(twin.named_parameters())
            leaves = [named[name] for name, _ in self._trained]
            whole_P = torch.cat([leaf.detach().flatten() for leaf in leaves])
            for leaf, part in zip(leaves, self._parts(whole_P), strict=True):
                leaf.data = part
            self._twins.append((twin, [*leaves], whole_P))
        return self._twins[s]

    def _rows(self, s: int) -> Tensor:
        return self._x if self._x.dim() == 2 else self._x[s]

    def _call(self, s: int, parts: Sequence[Tensor]) -> Tensor:
        """Trial s, so that it can be differentiated twice: (N,) or (N, T)."""
        named = {name: part for (name, _), part in zip(self._trained, parts, strict=True)}
        return self._shaped(functional_call(self._module, {**self._held, **named}, (self._rows(s),)))

    def _shaped(self, prediction: Tensor) -> Tensor:
        shape = (self._x.shape[-2], self._outputs)
        if prediction.shape != shape and (self._outputs > 1 or prediction.shape != shape[:1]):
            what = f"it gives {tuple(prediction.shape)} for {shape[0]:,} rows, not {shape}"
            raise UserError(what, where=_WHERE, remedy=f"end it in a layer with {self._outputs} outputs")
        return prediction.view(shape[:1] if self._outputs == 1 else shape)


_Saved = list[tuple[Tensor, list[Tensor]]]


def adopt(experiment: Experiment, data: Data, module: object) -> Experiment:
    """The experiment with the parameters of a module for its own, where they are; `data` is told of the module.

    Columns are left as they are, and dtype and device follow the module's.

    Raises UserError where experiment and module do not fit, and where the module is not the same from call to call.
    """
    if not isinstance(module, nn.Module):
        what = f"a {type(module).__name__} is no torch.nn.Module"
        raise UserError(what, where=_WHERE, remedy='for hidden layers write {"hidden": [32, 32]}')
    _refuse(experiment, module)
    named = dict(module.named_parameters())
    if (count := sum(tensor.numel() for tensor in named.values())) > MOST:
        raise UserError(f"{count:,} parameters are more than {MOST:,}", where=_WHERE, remedy="train it in torch")
    names = [f"{name}{place}" for name, tensor in named.items() for place in _places(tensor)]
    data.module, data.names = module, replace(data.names, parameters=names)
    return _with(experiment, named, names)


def store(module: nn.Module, values_Q: np.ndarray) -> None:
    """Put values (Q,) into a module's parameters."""
    start, found_Q = 0, torch.from_numpy(values_Q)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.copy_(found_Q[start : start + tensor.numel()].view(tensor.shape))
            start += tensor.numel()


def _refuse(experiment: Experiment, module: nn.Module) -> None:
    if experiment.regress is None:
        raise UserError(f"{experiment.kind} takes no module", where=_WHERE, remedy="use regress")
    for key, remedy in (("model", "leave out one of the two"), ("params", "set them in the module")):
        if node := experiment.tree.get(key):
            raise node.place.error(f"the module has {'layers' if key == 'model' else 'starts'} of its own", remedy)
    if experiment.train.polish:
        what = "the weights of a module are not determined one by one, and have no minimum to go to"
        raise experiment.tree.find("train", "polish").error(what, "leave polish out")
    scale = experiment.data.scale if experiment.data else "none"
    if scale != "none" and "data.scale" not in experiment.chosen:
        place = experiment.tree.find("data", "scale")
        raise place.error("a module takes columns as they are", "scale them before, or in its first layer")
    trained = [tensor for tensor in module.parameters() if tensor.requires_grad]
    if not trained:
        raise UserError("it has no parameter to train", where=_WHERE, remedy="requires_grad_(True) frees them")
    kinds = {(str(t.dtype).removeprefix("torch."), str(t.device)) for t in module.parameters()}
    if len(kinds) > 1 or next(iter(kinds))[0] not in DTYPES:
        what = f"its parameters are {' and '.join(' on '.join(kind) for kind in sorted(kinds))}"
        raise UserError(what, where=_WHERE, remedy="make all of them float64, model.double(), or float32")
    ((dtype, device),) = kinds
    for key, own in (("dtype", dtype), ("device", device)):
        if key in experiment.train.model_fields_set and getattr(experiment.train, key) != own:
            place = experiment.tree.find("train", key)
            raise place.error(f"the module's parameters are {own}", f"leave {key} out, or move the module")
    for name, part in module.named_modules():
        called = f"{name or 'the module'} ({type(part).__name__})"
        if part.training and isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0:
            raise UserError(f"{called} draws anew in every call", where=_WHERE, remedy=_EVAL)
        if part.training and isinstance(part, nn.modules.batchnorm._NormBase):
            what = f"{called} follows the rows that it is called on, and training would change what it holds"
            raise UserError(what, where=_WHERE, remedy=_EVAL)


def _require_steady(module: nn.Module, x_NF: Tensor) -> None:
    """Raises UserError where a call fails, gives what cannot be descended, changes its rows or a buffer, or where a
    second one gives something else. It is called on a copy of the rows.
    """
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.inference_mode(mode=False):  # what is made inside of it, autograd refuses
        given_NF = x_NF.clone()
    first = _probe(module, buffers, given_NF)
    if not torch.equal(given_NF, x_NF):
        raise UserError("it changes the columns that it is given", where=_WHERE, remedy="write x = x*2, not x.mul_(2)")
    if not isinstance(first, Tensor):
        what = f"it gives a {type(first).__name__}, no tensor"
        raise UserError(what, where=_WHERE, remedy="give one prediction a row")
    dtypes = [str(tensor.dtype).removeprefix("torch.") for tensor in (first, x_NF)]
    if first.dtype != x_NF.dtype:
        what = f"it predicts in {dtypes[0]}, and its parameters are {dtypes[1]}"
        raise UserError(what, where=_WHERE, remedy=f"leave out what turns them into {dtypes[0]}")
    for name, buffer in module.named_buffers():
        if not torch.equal(buffer, buffers[name]):
            raise UserError(f"a call changes its buffer {name}", where=_WHERE, remedy=_EVAL)
    if not first.requires_grad:
        what = "its prediction does not depend on its parameters"
        raise UserError(what, where=_WHERE, remedy="leave out detach(), no_grad() and turns to NumPy")
    if not torch.allclose(first, _probe(module, buffers, given_NF), equal_nan=True):
        raise UserError("two calls on the same rows differ", where=_WHERE, remedy=_EVAL)


def _probe(module: nn.Module, buffers: Mapping[str, Tensor], x_NF: Tensor) -> Any:
    """What a call gives. Raises UserError where it fails, whatever is wrong in it."""
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            return functional_call(module, dict(buffers), (x_NF,))
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        what = f"called on columns {tuple(x_NF.shape)} it fails: {type(error).__name__}{said and f': {said}'}"
        remedy = "it takes one tensor, a row of it for each row of the data"
        raise UserError(what, where=_WHERE, remedy=remedy) from error


def _places(tensor: Tensor) -> Iterator[str]:
    """[i,j] of each element, counted from 0 as torch does; nothing for a single number."""
    for place in product(*map(range, tensor.shape)):
        yield f"[{','.join(map(str, place))}]" if place else ""


def _with(experiment: Experiment, named: Mapping[str, Tensor], names: Sequence[str]) -> Experiment:
    values = [(v, not t.requires_grad) for t in named.values() for v in t.detach().double().flatten().tolist()]
    params = {
        name: Param.model_construct(start=Start.model_construct(value=value), fixed=fixed)
        for name, (value, fixed) in zip(names, values, strict=True)
    }
    first = next(iter(named.values()))
    own = {"dtype": str(first.dtype).removeprefix("torch."), "device": str(first.device)}
    update = {"params": params, "train": experiment.train.model_copy(update=own)}
    if experiment.data is not None:
        update["data"] = experiment.data.model_copy(update={"scale": "none"})
    chosen = [key for key in experiment.chosen if key != "data.scale" and not key.startswith("params.")]
    copied = experiment.model_copy(update=update)
    return copied.located(tree=experiment.tree, folder=experiment.folder, chosen=tuple(chosen))
