"""The fast path: trees as one list of instructions, with the gradient written out by hand.

A tape does what `evaluate` and autograd do, without building a graph: equal subtrees are worked out once,
subtrees that hold no parameter once per binding, and the way back visits only what leads to a parameter.
Numbers are tensors without axes: torch multiplies by one a third faster than by a Python float.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy

import torch
from torch import Tensor

from gdtrain.formula.instructions import Instruction, Program
from gdtrain.formula.nodes import Node
from gdtrain.formula.pullback import Pullback

Saved = list[Tensor]  # every register's value, as `forward` left it


class Tape:
    """Trees to evaluate and differentiate together.

    trees       the outputs, in order
    parameters  what the columns of `theta_SP` are called, at least one; every other name is a data column
    """

    def __init__(self, trees: Sequence[Node], parameters: Sequence[str]) -> None:
        if not parameters:
            raise ValueError("a tape needs at least one parameter; a constant tree is for evaluate")
        self.program = Program(trees, parameters)

    def bind(self, columns: Mapping[str, Tensor], *, like: Tensor) -> BoundTape:
        """The tape on data, with every subtree that holds no parameter worked out.

        columns  (N,) or (S, N) by name; those that no tree names are ignored
        like     a tensor whose dtype and device everything takes

        Raises KeyError for a column that is missing.
        """
        return BoundTape(self.program, columns, like)


class BoundTape:
    """A tape on data. `Tape.bind` makes it.

    Outputs have the shape (S, N), or (S, 1) where no column is involved. One that holds no parameter keeps
    its columns' shape, or (1,), and broadcasts. All runs under inference_mode; `forward` under autograd too.
    """

    def __init__(self, program: Program, columns: Mapping[str, Tensor], like: Tensor) -> None:
        self._program = program
        with torch.inference_mode(False), torch.no_grad():  # so that autograd can save the constants
            self._constants = _constants(program, columns, like)
        self._steps = [
            _step(register, instruction)
            for register, instruction in program.instructions.items()
            if register in program.live
        ]
        named = [self._constants[register - len(program.parameters)] for register in program.columns]
        self._N = max((int(column.shape[-1]) for column in named if column is not None), default=1)
        self._read = self._read_by_row()
        self._sizes = [1] * len(program.parameters)
        self._pullback = Pullback(program, program.outputs, summed=True)

    def forward(self, theta_SP: Tensor) -> tuple[list[Tensor], Saved]:
        """The outputs at `theta_SP`, and what `backward` needs of the way there."""
        columns = [theta_SP] if len(self._sizes) == 1 else torch.split_with_sizes(theta_SP, self._sizes, 1)
        values = [*columns, *self._constants]
        for step in self._steps:
            step(values)
        return [values[register] for register in self._program.outputs], values

    def backward(self, saved: Saved, adjoints: Sequence[Tensor]) -> Tensor:
        """The gradient (S, P) of sum(adjoint * output) over outputs and rows, each trial its own.

        saved     from `forward`
        adjoints  one per output, of its shape; what stands at an output without parameters is not read
        """
        gradients = self._gradients(saved, self._pullback(saved, adjoints))
        return gradients[0] if len(gradients) == 1 else torch.cat(gradients, 1)

    def jacobian(self, theta_SP: Tensor) -> list[Tensor]:
        """The derivative of each row of each output by each parameter: (S, N, P), or (S, 1, P) per output."""
        outputs, saved = self.forward(theta_SP)
        return [self._jacobian(saved, output, i) for i, output in enumerate(outputs)]

    def of(self, rows: slice | Tensor) -> BoundTape:
        """The tape on some of the rows: a range of them, indices (B,), or (S, B) where trials differ."""
        some = copy(self)
        some._constants = self._constants.copy()
        for at in self._read:
            column = self._constants[at]
            if isinstance(rows, Tensor) and rows.dim() == column.dim() == 1:
                some._constants[at] = column.index_select(0, rows)  # a third of the time that indexing takes
            else:
                some._constants[at] = column[..., rows]
        some._N = rows.shape[-1] if isinstance(rows, Tensor) else len(range(self._N)[rows])
        return some

    def stack(self, others: Sequence[BoundTape]) -> BoundTape:
        """The tape on its own rows for the first trial, and on as many of each of the others for one more."""
        tapes = (self, *others)
        return self._with({at: torch.stack([tape._constants[at] for tape in tapes]) for at in self._read})

    def take(self, index: Tensor) -> BoundTape:
        """A stack of tapes for some of its trials, by their numbers."""
        return self._with({at: self._constants[at].index_select(0, index) for at in self._read})

    def _with(self, columns: Mapping[int, Tensor]) -> BoundTape:
        some = copy(self)
        some._constants = [columns.get(at, constant) for at, constant in enumerate(self._constants)]
        return some

    def _read_by_row(self) -> list[int]:
        """The constants with a value for each row that something live, or an output, reads."""
        program = self._program
        live = (instruction for register, instruction in program.instructions.items() if register in program.live)
        read = {*(r for instruction in live for r in instruction.reads), *program.outputs} & program.rows
        places = (register - len(program.parameters) for register in sorted(read - program.live))
        return [at for at in places if self._constants[at].shape[-1] > 1]

    def _jacobian(self, saved: Saved, output: Tensor, i: int) -> Tensor:
        """One output's jacobian: by a way back that sums nothing, else row after row.

        Without the sums, adjoints stay (S, N), and row n of a parameter's belongs to row n of the output;
        unless a reduction of something live has mixed the rows on the way.
        """
        register = self._program.outputs[i]
        rows = self._N if register in self._program.rows else 1
        seed = saved[0].new_ones((len(saved[0]), rows))
        if not self._reduces(register):
            pullback = Pullback(self._program, [register], summed=False)
            by_row = self._gradients(saved, pullback(saved, [seed]))
            return torch.stack([gradient.expand(-1, rows) for gradient in by_row], -1)
        pullback = Pullback(self._program, [register], summed=True)
        hots = torch.eye(rows, dtype=seed.dtype, device=seed.device).unsqueeze(1) * seed
        return torch.stack([torch.cat(self._gradients(saved, pullback(saved, [hot])), 1) for hot in hots], 1)

    def _reduces(self, output: int) -> bool:
        """Whether a reduction of something live lies on the way to a register."""
        upstream = self._program.upstream([output]) & self._program.live
        return any(self._program.instructions[r].reduces for r in upstream if r in self._program.instructions)

    def _gradients(self, saved: Saved, found: Sequence[Tensor | None]) -> list[Tensor]:
        """Each parameter's adjoint; 0 for one that no output depends on."""
        return [torch.zeros_like(saved[0]) if gradient is None else gradient for gradient in found]


def _constants(program: Program, columns: Mapping[str, Tensor], like: Tensor) -> list[Tensor]:
    """The values of the registers after the parameters'; a placeholder for those that `forward` fills."""
    empty = like.new_empty(0)
    values = [empty] * program.size
    for register, number in program.numbers.items():
        values[register] = like.new_tensor(number)
    for register, name in program.columns.items():
        column = columns[name].to(like)
        values[register] = column.clone() if column.is_inference() else column
    for register, instruction in program.instructions.items():
        if register not in program.live:
            values[register] = instruction.rule.forward(*(values[read] for read in instruction.reads))
    for register in program.outputs:
        if register in program.numbers:
            values[register] = values[register].reshape(1)
    return values[len(program.parameters) :]


def _step(write: int, instruction: Instruction) -> Callable[[Saved], None]:
    """What carries out one instruction. A closure per number of operands: this is the innermost loop."""
    function = instruction.rule.forward
    if len(instruction.reads) == 1:
        (a,) = instruction.reads

        def step(values: Saved) -> None:
            values[write] = function(values[a])

    elif len(instruction.reads) == 2:
        a, b = instruction.reads

        def step(values: Saved) -> None:
            values[write] = function(values[a], values[b])

    else:
        a, b, c = instruction.reads

        def step(values: Saved) -> None:
            values[write] = function(values[a], values[b], values[c])

    return step
