"""Experiments as texts, and what loading them says."""

from __future__ import annotations

import io

import pytest

from gdtrain.errors import USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.schema import Experiment

DATA = "data: {columns: {x: [1, 2, 3], y: [2, 4, 6]}}\n"
FIT = "fit: y = w*x\n" + DATA


def read(text: str | bytes, *overrides: Override) -> Experiment:
    """The experiment of a text on standard input."""
    return load("-", overrides, stdin=io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def refusal(text: str | bytes, *overrides: Override) -> str:
    """What is said about a text that is refused."""
    with pytest.raises(UserError) as caught:
        read(text, *overrides)
    assert caught.value.code == USAGE
    return str(caught.value)


def heads(message: str) -> list[str]:
    """The lines of a message without those that show the file and the caret."""
    return [line for line in message.splitlines() if not line.startswith("  ")]


def marked(message: str) -> str:
    """What the first caret line marks."""
    line, caret = next(
        (line, caret)
        for line, caret in zip(message.splitlines(), message.splitlines()[1:], strict=False)
        if caret.strip() and set(caret.strip()) == {"^"}
    )
    return line[caret.index("^") : caret.rindex("^") + 1]
