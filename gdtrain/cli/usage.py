"""Wrong command lines: what typer says of them, in our words, with the remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from typer.exceptions import TyperException

from gdtrain.errors import UserError, nearest

EXPRESSION_VERBS = ("solve", "fit", "minimize", "grad")
_OPTION = re.compile(r"--[a-zA-Z][a-zA-Z0-9_-]*(=.*)?", re.DOTALL)

# Options of other tools, and ours that does the same.
ALIASES = {
    "learning-rate": "lr",
    "eta": "lr",
    "eta0": "lr",
    "alpha": "lr",
    "step-size": "lr",
    "max-iter": "epochs",
    "n-iter": "epochs",
    "iterations": "epochs",
    "steps": "epochs",
    "passes": "epochs",
    "num-epochs": "epochs",
    "n-epochs": "epochs",
    "optim": "optimizer",
    "solver": "optimizer",
    "method": "optimizer",
    "random-state": "seed",
    "random-seed": "seed",
    "momentum": "set train.optimizer.momentum=...",
    "weight-decay": "set train.optimizer.weight_decay=...",
    "tol": "set stop.grad_tol=...",
    "fit-intercept": "no-intercept",
    "init": "start",
    "output": "format",
    "json": "format json",
    "csv": "format csv",
    "verbose": "every 1",
    "silent": "quiet",
}

# What typer says, as we say it.
MESSAGES = {
    r"Missing (?:argument|option) '([^']*)'": "{0} is missing",
    r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)": "there is no place for {0}",
    r"Invalid value for '([^']*)': Input should be a valid integer": "{0} must be a whole number",
    r"Invalid value for '([^']*)': Input should be greater than or equal to (\S+)": "{0} must be {1} or more",
}


def expressions_apart(arguments: Sequence[str]) -> list[str]:
    """The arguments, with a space before every expression that begins with a minus: `-x + 1` is no option."""
    if not arguments or arguments[0] not in EXPRESSION_VERBS or "--" in arguments:
        return list(arguments)
    return [f" {a}" if a.startswith("-") and a != "-" and not _OPTION.fullmatch(a) else a for a in arguments]


def translate(error: TyperException, arguments: Sequence[str]) -> UserError:
    """The usage error that typer raised, as ours."""
    verb = next((a for a in arguments if not a.startswith("-")), "")
    option = getattr(error, "option_name", None)
    if option is not None and "No such option" in str(error):
        return _unknown_option(option, error, verb)
    message = error.format_message()
    if message.startswith("No such command"):
        return _unknown_verb(verb)
    where, remedy = f"gdtrain {verb}".strip(), f"see gdtrain {verb} --help"
    if verb == "sweep" and "unexpected extra argument" in message:
        remedy = "it takes one file; several values stand with commas between them: --lr 0.1,0.2"
    for pattern, what in MESSAGES.items():
        if found := re.match(pattern, message):
            return UserError(what.format(*found.groups()), where=where, remedy=remedy)
    return UserError(message.rstrip("."), where=where, remedy=remedy)


def _unknown_option(option: str, error: TyperException, verb: str) -> UserError:
    name = option.lstrip("-").partition("=")[0]
    if verb == "sweep" and name == "starts":
        remedy = "many starts are a run: gdtrain run FILE --starts N"
        return UserError("there is no option --starts", where="gdtrain sweep", remedy=remedy)
    known = [p.lstrip("-") for p in _known_options(error)]
    alias = ALIASES.get(name.lower().replace("_", "-"), "")
    ours = alias if alias.split(" ")[0] in known else _key(name, known) or nearest(name, known)
    remedy = f"did you mean --{ours}?" if ours else f"see gdtrain {verb} --help"
    return UserError(f"there is no option {option}", where=f"gdtrain {verb}".strip(), remedy=remedy)


def _key(name: str, known: Sequence[str]) -> str:
    """The option that sets the key of an experiment of that name, or whatever other tools call it; "" for none."""
    from gdtrain.experiment.keys import place_of  # with pydantic behind it, which help need not wait for

    key = place_of(name.lower().replace("-", "_"))
    if not key or "*" in key or key.startswith("sweep.") or "set" not in known:
        return ""
    return last if (last := key.rpartition(".")[2]) in known else f"set {key}=..."


def _known_options(error: TyperException) -> list[str]:
    context = getattr(error, "ctx", None)
    return [opt for param in context.command.params for opt in param.opts] if context is not None else []


def _unknown_verb(word: str) -> UserError:
    from gdtrain.cli.app import PANELS

    verbs = [verb.__name__ for panel in PANELS.values() for verb in panel]
    if Path(word).is_file() or word.endswith((".yaml", ".yml")):
        return UserError(f"there is no verb {word}", where="gdtrain", remedy=f"to train it, write gdtrain run {word}")
    if "=" in word:
        return UserError(f"there is no verb {word}", where="gdtrain", remedy=f"write gdtrain solve '{word}'")
    close = nearest(word, verbs)
    remedy = f"did you mean {close}?" if close else f"there are {', '.join(verbs)}"
    return UserError(f"there is no verb {word}", where="gdtrain", remedy=remedy)
