"""What each key takes, and what is said about anything else."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch

from gdtrain.errors import UserError
from gdtrain.experiment.data import Data
from gdtrain.experiment.dump import dump
from gdtrain.experiment.fields import Model
from gdtrain.experiment.keys import ALIASES, SECTIONS
from gdtrain.experiment.network import Network
from gdtrain.experiment.objective import Loss
from gdtrain.experiment.optimizers import AUTO, DEFAULTS, LR, SECOND
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.parameters import Param, Start
from gdtrain.experiment.schema import Experiment, Predict, Regress, Train
from gdtrain.experiment.stop import Stop

from .texts import DATA, FIT, heads, read, refusal

SOLVE = "solve: x + 1 = 3\n"

# A file; the line, column and message of one of its mistakes.
REFUSED = [
    # types: strict, but a whole float is a whole number
    (
        FIT + "train: {epochs: 20.5}\n",
        "3:17: epochs must be a whole number, not 20.5",
    ),
    (
        FIT + "train: {epochs: '20'}\n",
        "3:17: epochs must be a whole number, not the text '20'; write it without quotes",
    ),
    (
        FIT + "train: {epochs: true}\n",
        "3:17: epochs must be a whole number, not true",
    ),
    (
        FIT + "train: {epochs: -1}\n",
        "3:17: epochs must be 0 or more, not -1",
    ),
    (
        FIT + "train: {lr: '0.1'}\n",
        "3:13: lr must be a positive number or auto, not the text '0.1'; write it without quotes",
    ),
    (
        FIT + "train: {lr: 0}\n",
        "3:13: lr must be a positive number or auto, not 0",
    ),
    (
        FIT + "train: {lr: true}\n",
        "3:13: lr must be a positive number or auto, not true",
    ),
    (
        FIT + "train: {seed: -1}\n",
        "3:15: seed must be 0 or more, not -1",
    ),
    (
        FIT + "train: {seed: 9223372036854775808}\n",
        "3:15: seed must be below 9.22337e+18, not 9223372036854775808",
    ),
    (
        FIT + "train: {engine: fast}\n",
        "3:17: engine must be auto, exact or loop, not the text 'fast'",
    ),
    (
        FIT + "train: {dtype: float23}\n",
        "3:16: dtype must be float64 or float32, not the text 'float23'; did you mean float32?",
    ),
    (
        FIT + "train: {device: gpu}\n",
        "3:17: device must look like cpu or cuda:0, not the text 'gpu'",
    ),
    (
        FIT + "train: 5\n",
        "3:8: train must hold key: value, not 5",
    ),
    (
        FIT + "train: [1]\n",
        "3:8: train must hold key: value, not a list",
    ),
    (
        FIT + "name: 5\n",
        "3:7: name must be text, not 5; put it in quotes",
    ),
    (
        FIT + "name: ''\n",
        "3:7: name must not be empty",
    ),
    (
        FIT + "name: ../x\n",
        "3:7: name must not hold control characters, a backslash or .., nor start with / or ~; rename it",
    ),
    (
        FIT + "name: /x\n",
        "3:7: name must not hold control characters, a backslash or .., nor start with / or ~; rename it",
    ),
    (
        FIT + 'name: "a\\e[31m"\n',
        "3:7: name must not hold control characters, a backslash or .., nor start with / or ~; rename it",
    ),
    (
        "minimize: 3\n",
        "1:11: minimize must be text, not 3; put the formula in quotes",
    ),
    # params
    (
        FIT + "params: {w: '0'}\n",
        "3:13: w must be a number, not the text '0'; write it without quotes",
    ),
    (
        FIT + "params: {w: true}\n",
        "3:13: w must be a number, not true",
    ),
    (
        FIT + "params: {w: {start: a}}\n",
        "3:21: start must be a number, not the text 'a'",
    ),
    (
        FIT + "params: {w: {strt: 1}}\n",
        "3:14: strt is not a key of params.w; did you mean start?",
    ),
    (
        FIT + "params: {w: {uniform: [0, 1]}}\n",
        "3:14: uniform is not a key of params.w; uniform belongs under start, start: {...}",
    ),
    (
        FIT + "params: {w: {start: {}}}\n",
        "3:14: start says nothing; write one of value, uniform, normal",
    ),
    (
        FIT + "params: {w: {start: {uniform: [0]}}}\n",
        "3:31: uniform must hold at least 2, not 1",
    ),
    (
        FIT + "params: {w: {start: {uniform: [1, 0]}}}\n",
        "3:31: uniform must be the lower, then the upper end",
    ),
    (
        FIT + "params: {w: {start: {normal: [1, -1]}}}\n",
        "3:34: a standard deviation is not negative",
    ),
    (
        FIT + "params: {w: {start: {value: 1, normal: [1, 1]}}}\n",
        "3:32: value and normal exclude each other; write one of them",
    ),
    (
        FIT + "params: {w: {min: 3, max: 1}}\n",
        "3:27: max must be above min, 3; for a constant write fixed: true",
    ),
    (
        FIT + "params: {w: {start: 5, max: 1}}\n",
        "3:21: start must lie within min and max, -inf to 1",
    ),
    (
        FIT + "params: {w: {start: {uniform: [0, 2]}, max: 1}}\n",
        "3:21: start must lie within min and max, -inf to 1",
    ),
    (
        FIT + "params: {w: {fixed: true}}\n",
        "3:21: a fixed parameter needs a number to stay at; write start: NUMBER beside fixed",
    ),
    (
        FIT + "params: {w: {start: {uniform: [0, 1]}, fixed: true}}\n",
        "3:47: a fixed parameter needs a number to stay at; write start: NUMBER beside fixed",
    ),
    # loss and optimizer
    (
        FIT + "loss: hubr\n",
        "3:7: loss must be "
        "mse, half_sse, sse, mae, huber, logcosh, quantile, logistic, softmax, poisson or gamma, "
        "not the text 'hubr'; did you mean huber?",
    ),
    (
        FIT + "loss: {name: mse, delta: 1}\n",
        "3:26: mse takes no delta; delta belongs to huber",
    ),
    (
        FIT + "loss: {name: huber, q: 0.5}\n",
        "3:24: huber takes no q; q belongs to quantile",
    ),
    (
        FIT + "loss: {name: quantile, q: 1}\n",
        "3:27: q must be below 1, not 1",
    ),
    (
        FIT + "loss: softmax\n",
        "3:7: softmax takes a predictor for each class, and fit has one formula; use regress; for two classes logistic",
    ),
    (
        "solve: x^2 = 2\nloss: poisson\n",
        "2:7: poisson is a loss of data, and an equation has none; leave loss out, or use fit",
    ),
    (
        "regress: {target: [a, b]}\ndata: {path: rows.csv}\nloss: softmax\n",
        "1:19: softmax takes one target; name the column that holds the classes",
    ),
    (
        FIT + "loss: {name: huber, delta: 0}\n",
        "3:28: delta must be above 0, not 0",
    ),
    (
        FIT + "train: {optimizer: adamm}\n",
        "3:20: optimizer must be sgd, adam, adamw, nadam, radam, rmsprop, adagrad, rprop, lm, lbfgs, newton "
        "or auto, not the text 'adamm'; "
        "did you mean adam?",
    ),
    (
        FIT + "train: {optimizer: {name: sgd, momentum: -1}}\n",
        "3:42: momentum must be 0 or more, not -1",
    ),
    (
        FIT + "train: {optimizer: {name: sgd, nesterov: 1}}\n",
        "3:42: nesterov must be true or false, not 1",
    ),
    (
        FIT + "train: {optimizer: {name: sgd, nesterov: true}}\n",
        "3:42: nesterov needs a momentum above 0 and dampening 0; set momentum: 0.9",
    ),
    (
        FIT + "train: {optimizer: {name: sgd, momentum: 0.9, dampening: 0.1, nesterov: true}}\n",
        "3:73: nesterov needs a momentum above 0 and dampening 0; set momentum: 0.9",
    ),
    (
        FIT + "train: {optimizer: {name: sgd, betas: [0, 0.5]}}\n",
        "3:32: sgd takes no betas; it is an option of adam, adamw, nadam, radam",
    ),
    (
        FIT + "train: {optimizer: {name: adam, betas: [0.9, 1]}}\n",
        "3:46: betas must be below 1, not 1",
    ),
    (
        FIT + "train: {optimizer: {name: adam, beta: 1}}\n",
        "3:33: beta is not a key of train.optimizer; did you mean betas?",
    ),
    (
        FIT + "train: {optimizer: {name: adam, lr: 1}}\n",
        "3:33: lr is not a key of train.optimizer; lr belongs under train",
    ),
    (
        FIT + "train: {optimizer: {name: rprop, etas: [0.5, 0.9]}}\n",
        "3:40: etas must be a factor between 0 and 1, then one above 1; as in [0.5, 1.2]",
    ),
    (
        FIT + "train: {optimizer: {name: rprop, step_sizes: [2, 1]}}\n",
        "3:46: step_sizes must be the smallest, then the largest",
    ),
    # data
    (
        "fit: y = w*x\n",
        "1:1: fit needs data; name a file, or --data x=1,2 --data y=2,4; in an experiment data: {path: points.csv}",
    ),
    (
        "regress: {target: y}\n",
        "1:1: regress needs data; add data: {path: rows.csv}",
    ),
    (
        "fit: y = w*x\ndata: points.csv\n",
        "2:7: data must hold key: value, not the text 'points.csv'; write data: {path: points.csv}",
    ),
    (
        "fit: y = w*x\ndata: {}\n",
        "2:1: data says nothing; write one of path, columns",
    ),
    (
        "fit: y = w*x\ndata: {path: /dev/stdin}\n",
        "2:14: /dev/stdin is not read by that name; write path: - for stdin",
    ),
    (
        "fit: y = w*x\ndata: {path: a, columns: {y: [1]}}\n",
        "2:17: path and columns exclude each other; write one of them",
    ),
    (
        "fit: y = w*x\ndata: {columns: {}}\n",
        "2:17: columns is empty; write name: [numbers]",
    ),
    (
        "fit: y = w*x\ndata: {columns: {y: []}}\n",
        "2:21: y must hold at least 1, not 0",
    ),
    (
        "fit: y = w*x\ndata: {columns: {y: 5}}\n",
        "2:21: y must be a list, not 5",
    ),
    (
        "fit: y = w*x\ndata: {columns: {y: [1, a]}}\n",
        "2:25: y must be a number, not the text 'a'",
    ),
    (
        "fit: y = w*x\ndata: {columns: {y: [1, 2], x: [1]}}\n",
        "2:32: x has 1, y has 2 values; give every column as many values",
    ),
    (
        "fit: y = w*x\ndata: {columns: {y: [1], x: [1]}, comment: '#'}\n",
        "2:44: comment says how to read a file, and columns is none; leave comment out",
    ),
    (
        "fit: y = w*x\ndata: {path: a, delimiter: ', '}\n",
        "2:28: delimiter must be at most 1 long",
    ),
    (
        "fit: y = w*x\ndata: {path: a, header: [x, x]}\n",
        "2:29: x stands twice; name it once",
    ),
    (
        "fit: y = w*x\ndata: {path: a, scale: standard}\n",
        "2:24: fit scales no columns; scale in the formula; only regress takes it",
    ),
    # kinds
    (
        "name: a\n",
        "1:1: there is no problem here; write one of solve, fit, regress, minimize",
    ),
    (
        FIT + SOLVE,
        "3:1: fit and solve are two problems; write one experiment a file",
    ),
    (
        SOLVE + DATA,
        "2:1: solve has no data; write fit for a formula of columns",
    ),
    (
        SOLVE + "predict: data\n",
        "2:1: solve predicts nothing; leave predict out",
    ),
    (
        "solve: []\n",
        "1:8: solve must hold at least 1, not 0",
    ),
    (
        "minimize: x^2\nloss: mse\n",
        "2:1: minimize has no loss: the expression itself is descended; leave loss out",
    ),
    (
        "minimize: x^2\npredict: data\n",
        "2:1: minimize predicts nothing; leave predict out",
    ),
    # regress
    (
        "regress: {target: y, features: [y]}\n" + DATA,
        "1:33: y is the target; take it out of features",
    ),
    (
        "regress: {target: y, features: ['*', x]}\n" + DATA,
        '1:32: "*" already names every column; leave the others out',
    ),
    (
        "regress: {target: [y, y]}\n" + DATA,
        "1:23: y stands twice; name it once",
    ),
    (
        "regress: {features: x}\n" + DATA,
        "1:10: target is missing; write target here",
    ),
    (
        "regress: y\n" + DATA,
        "1:10: regress must hold key: value, not the text 'y'",
    ),
    # predict, stop
    (
        FIT + "predict: {x: 5}\n",
        "3:11: x is not a key of predict; write points as a list: predict: [{x: 5}]",
    ),
    (
        FIT + "predict: []\n",
        "3:10: predict must hold at least 1, not 0",
    ),
    (
        FIT + "predict: [{x: a}]\n",
        "3:15: x must be a number, not the text 'a'",
    ),
    (
        FIT + "predict: {data: false}\n",
        "3:17: data: false predicts nothing; leave predict out",
    ),
    (
        FIT + "predict: 5\n",
        "3:10: predict must be text, not 5; put it in quotes",
    ),
    (
        FIT + "stop: {patience: 0}\n",
        "3:18: patience must be 1 or more, not 0",
    ),
    (
        FIT + "stop: {grad_tol: -1e-3}\n",
        "3:18: grad_tol must be above 0, not -0.001",
    ),
    # unknown keys
    (
        FIT + "trian: {lr: 1}\n",
        "3:1: trian is not a key of an experiment; did you mean train?",
    ),
    (
        FIT + "lr: 1\n",
        "3:1: lr is not a key of an experiment; lr belongs under train",
    ),
    (
        FIT + "momentum: 1\n",
        "3:1: momentum is not a key of an experiment; momentum belongs under train.optimizer",
    ),
    (
        FIT + "lrr: 1\n",
        "3:1: lrr is not a key of an experiment; did you mean lr, under train?",
    ),
    (
        FIT + "train: {learning_rate: 1}\n",
        "3:9: learning_rate is not a key of train; did you mean lr?",
    ),
    (
        FIT + "max_iter: 1\n",
        "3:1: max_iter is not a key of an experiment; did you mean epochs, under train?",
    ),
    (
        FIT + "train: {loss: mse}\n",
        "3:9: loss is not a key of train; loss belongs at the top level",
    ),
    (
        FIT + "zzz: 1\n",
        "3:1: zzz is not a key of an experiment; "
        "the keys here are name, solve, fit, regress, model, minimize, data, params, loss, penalty, "
        "train, stop, uncertainty, predict",
    ),
    (
        "formula: y = x\n" + DATA,
        "1:1: formula is not a key of an experiment; did you mean fit?",
    ),
    (
        FIT + "qqq: true\n",
        "3:1: qqq is not a key of an experiment; the keys here are",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text[-30:] for text, _ in REFUSED])
def test_refused(text: str, message: str) -> None:
    said = heads(refusal(text))
    assert any(line.startswith(f"stdin:{message}") for line in said), said


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = (
        "fit: y = w*z\n"
        "data: {columns: {x: [1, 2], y: [2, 4]}}\n"
        "params: {v: 0}\n"
        "los: mse\n"
        "train: {lr: no, epochs: 1.5, optimizer: {name: sgd, beta: 1}}\n"
        "train: {}\n"
    )
    assert [line.split(";")[0] for line in heads(refusal(text))] == [
        "stdin:3:10: fit has no parameter v",
        "stdin:4:1: los is not a key of an experiment",
        "stdin:5:13: no means true or false to some readers of YAML",
        "stdin:5:25: epochs must be a whole number, not 1.5",
        "stdin:5:53: beta is not a key of train.optimizer",
        "stdin:6:1: train stands twice",
    ]


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name not in SECOND and name != AUTO])
def test_options_and_defaults_are_torchs(name: str) -> None:
    ours = {"lr": LR.get(name, 1e-3), **DEFAULTS[name]}  # torch's sgd starts from 1e-3, ours from the problem
    classes = {cls.__name__.lower(): cls for cls in vars(torch.optim).values() if inspect.isclass(cls)}
    implementation = {"foreach", "maximize", "capturable", "differentiable", "fused"}
    theirs = {
        parameter.name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for parameter in inspect.signature(classes[name]).parameters.values()
        if parameter.name != "params" and parameter.name not in implementation
    }
    assert ours == theirs


def test_options_without_a_name_are_sgds() -> None:
    message = "stdin:3:21: sgd takes no eps; it is an option of adam, adamw, nadam, radam, rmsprop, adagrad"
    assert heads(refusal(FIT + "train: {optimizer: {eps: 1}}\n")) == [message]


def test_options_are_filled_in() -> None:
    optimizer = read(FIT + "train: {optimizer: {name: adam, betas: [0.5, 0.9]}}\n").train.optimizer
    assert optimizer.options == {**DEFAULTS["adam"], "betas": [0.5, 0.9]}
    assert read(FIT + "train: {optimizer: {momentum: 0.9}}\n").train.optimizer.name == "sgd"


def test_whole_floats_are_whole_numbers() -> None:
    train = read(FIT + "train: {epochs: 1e4, seed: 3.0, lr: 1}\n").train
    assert (train.epochs, train.seed, train.lr) == (10_000, 3, 1.0)
    assert isinstance(train.epochs, int)


@pytest.mark.parametrize("model", [Experiment, Data, Loss, Network, Param, Predict, Regress, Start, Stop, Train])
def test_every_key_is_described(model: type[Model]) -> None:
    assert model.__doc__
    undescribed = [name for name, field in model.model_fields.items() if not field.description]
    assert not undescribed or undescribed == ["name"]


ANYTHING: list[Any] = [
    *(10**400, -(10**400), 10**30, -1, 0, 1, 0.5, math.inf, math.nan, True, False),
    *("", "x", "y", "auto", "sgd", "data", [], {}, [1], [1, 2], ["x", "x"], [[]], [{}], [{"x": 1}]),
    *({"x": 1}, {"name": "sgd"}, {"name": []}, {"value": 1}, {"uniform": [1, 2]}, {"points": []}),
]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("problem", [FIT, SOLVE, "regress: {target: y}\n" + DATA])
def test_every_key_takes_any_value_or_refuses_it(section: str, problem: str) -> None:
    for key in SECTIONS[section]:
        dotted = f"{section.replace('*', 'w')}.{key}".lstrip(".")
        for value in ANYTHING:
            try:
                experiment = read(problem, Override(dotted, value, "--set"))
            except UserError as error:
                assert str(error).startswith(("--set: ", "stdin:"))
            else:
                assert read(dump(experiment)) == experiment


def test_aliases_lead_to_keys_and_are_none() -> None:
    for alias, home in ALIASES.items():
        section, _, key = home.rpartition(".")
        assert key in SECTIONS[section]
        assert not any(alias in keys for keys in SECTIONS.values()), alias


@pytest.mark.parametrize(
    ("param", "kind", "start"),
    [
        ({}, "solve", {"uniform": [0.0, 1.0]}),
        ({"min": 0.25}, "solve", {"uniform": [0.25, 1.0]}),
        ({"min": 2.0}, "solve", {"value": 2.0}),
        ({"max": -2.0}, "solve", {"value": -2.0}),
        ({}, "regress", {"value": 0.0}),
        ({"min": 1.0}, "regress", {"value": 1.0}),
        ({"start": {"value": 7.0}}, "solve", {"value": 7.0}),
    ],
)
def test_starts_that_are_chosen_lie_within_the_bounds(param: Any, kind: str, start: Any) -> None:
    problem: Any = {"solve": ["x = 1"]} if kind == "solve" else {"regress": {"target": ["y"]}}
    experiment = Experiment.model_validate({**problem, "params": {"x": param}})
    assert experiment.param("x").start == Start.model_validate(start)
