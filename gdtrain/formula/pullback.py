"""The way back through a program: adjoints of outputs to adjoints of parameters.

All that can be known beforehand is settled when it is made: the order of the steps, where a sum over the rows is due,
which products are equal and so worked out once. An adjoint is linear in the one that it comes from, so a factor with
one value per trial need not multiply every row: it waits until rows are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gdtrain.formula.instructions import Program
from gdtrain.formula.rules import Function, Times, through

Step = Callable[[list[Tensor], list[Tensor]], Tensor]  # registers and slots so far -> the next slot


class Adjoint(NamedTuple):
    """The adjoint of a register: what stands in a slot, times what stands in registers with one value per trial."""

    slot: int
    waiting: tuple[int, ...] = ()


class Pullback:
    """From some outputs of a program back to its parameters.

    outputs  registers
    summed   whether what comes from rows is summed to the (S, 1) of a register with one value per trial
    """

    def __init__(self, program: Program, outputs: Sequence[int], *, summed: bool) -> None:
        self._program = program
        self._summed = summed
        self._steps: list[Step] = []
        self._size = len(outputs)  # slots: the outputs' adjoints, then what each step gives
        self._known: dict[Hashable, int] = {}
        self._adjoints: dict[int, Adjoint] = {}
        for slot, register in enumerate(outputs):
            if register in program.live:
                self._reach(register, Adjoint(slot))
        for register in reversed(program.instructions):
            if register in self._adjoints:
                self._pass_on(register)
        settled = {p: self._settled(self._adjoints[p]) for p in range(len(program.parameters)) if p in self._adjoints}
        self._found = [settled.get(p) for p in range(len(program.parameters))]

    def __call__(self, values: list[Tensor], adjoints: Sequence[Tensor]) -> list[Tensor | None]:
        """Each parameter's adjoint, in order; None for one that is not reached.

        values    every register's, from the way forward
        adjoints  one per output, of its shape
        """
        slots = list(adjoints)
        for step in self._steps:
            slots.append(step(values, slots))
        return [None if slot is None else slots[slot] for slot in self._found]

    def _pass_on(self, register: int) -> None:
        """Pass the adjoint of `register` on to its operands."""
        program = self._program
        rule, reads, _ = program.instructions[register]
        for operand, backward in zip(reads, rule.backward, strict=True):
            if backward is None or operand not in program.live:
                continue
            adjoint = self._contribution(backward, register, reads)
            if self._summed and register in program.rows and operand not in program.rows:
                adjoint = Adjoint(self._settled(Adjoint(self._sum(adjoint.slot), adjoint.waiting)))
            self._reach(operand, adjoint)

    def _reach(self, register: int, adjoint: Adjoint) -> None:
        """Add to the adjoint of `register`."""
        if (before := self._adjoints.get(register)) is None:
            self._adjoints[register] = adjoint
            return
        if before.waiting != adjoint.waiting:
            before, adjoint = Adjoint(self._settled(before)), Adjoint(self._settled(adjoint))
        self._adjoints[register] = Adjoint(self._plus(before.slot, adjoint.slot), before.waiting)

    def _contribution(self, backward: Function, register: int, reads: tuple[int, ...]) -> Adjoint:
        """What an instruction passes on to one operand."""
        slot, waiting = self._adjoints[register]
        if backward is through:
            return Adjoint(slot, waiting)
        if not isinstance(backward, Times):
            return Adjoint(self._new(_general(backward, slot, register, reads)), waiting)
        factor = (register, *reads)[backward.which]
        if register in self._program.rows and factor not in self._program.rows:
            return Adjoint(slot, (*waiting, factor))
        return Adjoint(self._times(slot, factor), waiting)

    def _settled(self, adjoint: Adjoint) -> int:
        """The slot of the adjoint with nothing left waiting."""
        slot = adjoint.slot
        for register in adjoint.waiting:
            slot = self._times(slot, register)
        return slot

    def _new(self, step: Step) -> int:
        self._steps.append(step)
        self._size += 1
        return self._size - 1

    def _once(self, key: Hashable, step: Step) -> int:
        """The slot of what `key` describes, worked out the first time."""
        if key not in self._known:
            self._known[key] = self._new(step)
        return self._known[key]

    def _times(self, slot: int, register: int) -> int:
        return self._once(("times", slot, register), lambda values, slots: slots[slot] * values[register])

    def _sum(self, slot: int) -> int:
        # No product with a matrix: a trial then comes to the same bits alone and among others.
        return self._once(("sum", slot), lambda values, slots: torch.sum(slots[slot], -1, True))

    def _plus(self, a: int, b: int) -> int:
        return self._new(lambda values, slots: slots[a] + slots[b])


def _general(backward: Function, slot: int, register: int, reads: tuple[int, ...]) -> Step:
    """A rule's step. A closure per number of operands, as forward."""
    if len(reads) == 1:
        (a,) = reads
        return lambda values, slots: backward(slots[slot], values[register], values[a])
    if len(reads) == 2:
        a, b = reads
        return lambda values, slots: backward(slots[slot], values[register], values[a], values[b])
    a, b, c = reads
    return lambda values, slots: backward(slots[slot], values[register], values[a], values[b], values[c])
