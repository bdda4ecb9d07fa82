"""The way back through a program: adjoints of outputs to adjoints of parameters.

The order of the steps, which of them is the first to reach a register, and where a sum over the rows is due
are all known beforehand, so nothing is looked up or compared on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gdtrain.formula.instructions import Program
from gdtrain.formula.rules import Function

Adjoints = list["Tensor | None"]
Contribution = Callable[[list[Tensor], Adjoints], Tensor]


class Step(NamedTuple):
    """What an instruction passes on to one operand.

    first   whether nothing has reached the operand before
    summed  whether the contribution is summed over the rows
    """

    operand: int
    contribution: Contribution
    first: bool
    summed: bool


class Pullback:
    """From some outputs of a program back to its parameters.

    outputs  registers
    summed   whether what comes from rows is summed to the (S, 1) of a register with one value per trial
    """

    def __init__(self, program: Program, outputs: Sequence[int], *, summed: bool) -> None:
        self._program = program
        self._summed = summed
        self._reached: set[int] = set()
        self._seeds = [(i, r, self._reach(r)) for i, r in enumerate(outputs) if r in program.live]
        self._steps: list[Step] = []
        for register in reversed(program.instructions):
            if register in self._reached:
                self._steps += self._steps_from(register)
        self._nothing: Adjoints = [None] * program.size

    def __call__(self, values: list[Tensor], adjoints: Sequence[Tensor]) -> Adjoints:
        """Each parameter's adjoint, in order; None for one that is not reached.

        values    every register's, from the way forward
        adjoints  one per output, of its shape
        """
        found = self._nothing.copy()
        for i, register, first in self._seeds:
            found[register] = adjoints[i] if first else _plus(found[register], adjoints[i])
        for operand, contribution, first, summed in self._steps:
            adjoint = contribution(values, found)
            if summed:  # no product with a matrix: a trial then comes to the same bits alone and among others
                adjoint = torch.sum(adjoint, -1, True)
            found[operand] = adjoint if first else _plus(found[operand], adjoint)
        return found[: len(self._program.parameters)]

    def _reach(self, register: int) -> bool:
        """Note that `register` gets an adjoint; True the first time."""
        first = register not in self._reached
        self._reached.add(register)
        return first

    def _steps_from(self, register: int) -> list[Step]:
        """The steps that pass the adjoint of `register` on to its operands."""
        program = self._program
        rule, reads, _ = program.instructions[register]
        steps = []
        for operand, backward in zip(reads, rule.backward, strict=True):
            if backward is None or operand not in program.live:
                continue
            summed = self._summed and register in program.rows and operand not in program.rows
            steps.append(Step(operand, _contribution(backward, register, reads), self._reach(operand), summed))
        return steps


def _contribution(backward: Function, register: int, reads: tuple[int, ...]) -> Contribution:
    """What an instruction passes on to one operand. A closure per number of operands, as forward."""
    if len(reads) == 1:
        (a,) = reads
        return lambda values, found: backward(found[register], values[register], values[a])
    if len(reads) == 2:
        a, b = reads
        return lambda values, found: backward(found[register], values[register], values[a], values[b])
    a, b, c = reads
    return lambda values, found: backward(found[register], values[register], values[a], values[b], values[c])


def _plus(a: Tensor | None, b: Tensor) -> Tensor:
    assert a is not None
    return torch.add(a, b)
