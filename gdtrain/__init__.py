"""Gradient descent for the command line, and from Python: `gdtrain.run("experiment.yaml").params`.

Importing this loads neither torch nor polars; the functions do when they are first called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdtrain.api import fit, groups, minimize, regress, resume, run, solve, sweep
    from gdtrain.errors import UserError
    from gdtrain.gradient import grad
    from gdtrain.prediction.frames import predict
    from gdtrain.results import GroupsResult, Result, SweepResult

__version__ = "0.1.0"
__all__ = [
    "GroupsResult",
    "Result",
    "SweepResult",
    "UserError",
    "fit",
    "grad",
    "groups",
    "minimize",
    "predict",
    "regress",
    "resume",
    "run",
    "solve",
    "sweep",
]

_HOMES = {
    "GroupsResult": "gdtrain.results",
    "Result": "gdtrain.results",
    "SweepResult": "gdtrain.results",
    "UserError": "gdtrain.errors",
    "grad": "gdtrain.gradient",
    "predict": "gdtrain.prediction.frames",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gdtrain' has no attribute {name!r}")
    from importlib import import_module

    return vars(import_module(_HOMES.get(name, "gdtrain.api")))[name]
