"""Trees flattened to numbered registers: equal subtrees share one, and each knows what it depends on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from gdtrain.formula.constants import constants
from gdtrain.formula.nodes import REDUCTIONS, Name, Node, Op
from gdtrain.formula.rules import RULES, Rule, power


class Instruction(NamedTuple):
    """Apply `rule` to the registers in `reads`."""

    rule: Rule
    reads: tuple[int, ...]
    reduces: bool  # over the rows


class Program:
    """The instructions of some trees; registers 0 to P-1 hold the parameters.

    numbers, columns, instructions  what fills each other register, in an order that can be executed
    outputs  the register of each tree
    live     registers that depend on a parameter
    rows     registers with one value per row; the others have one per trial
    """

    def __init__(self, trees: Sequence[Node], parameters: Sequence[str]) -> None:
        self.parameters = tuple(parameters)
        self.numbers: dict[int, float] = {}
        self.columns: dict[int, str] = {}
        self.instructions: dict[int, Instruction] = {}
        self.live = set(range(len(self.parameters)))
        self.rows: set[int] = set()
        self._known: dict[Hashable, int] = {name: i for i, name in enumerate(self.parameters)}
        self.outputs = tuple(self._flatten(tree) for tree in trees)
        self._drop_unused()

    @property
    def size(self) -> int:
        """How many registers there are."""
        return len(self._known)

    def upstream(self, outputs: Sequence[int]) -> set[int]:
        """The registers that `outputs` are worked out from, themselves included."""
        found = set(outputs)
        for register in reversed(self.instructions):
            if register in found:
                found.update(self.instructions[register].reads)
        return found

    def _flatten(self, tree: Node) -> int:
        stack: list[int] = []
        for node, value in constants(tree):
            reads = [stack.pop() for _ in node.args][::-1] if isinstance(node, Op) else []
            if value is not None:
                stack.append(self._number(value))
            elif isinstance(node, Op):
                stack.append(self._operation(node.op, reads))
            else:
                assert isinstance(node, Name)
                stack.append(self._name(node.name))
        return stack[0]

    def _register(self, key: Hashable) -> tuple[int, bool]:
        """The register of what `key` describes, and whether it is new."""
        size = self.size
        register = self._known.setdefault(key, size)
        return register, register == size

    def _number(self, value: float) -> int:
        register, _ = self._register(("number", value.hex()))  # hex tells 0.0 from -0.0
        self.numbers[register] = value
        return register

    def _name(self, name: str) -> int:
        register, new = self._register(name)
        if new:
            self.columns[register] = name
            self.rows.add(register)
        return register

    def _operation(self, op: str, reads: list[int]) -> int:
        if op == "where" and reads[0] in self.numbers:
            return reads[1] if self.numbers[reads[0]] else reads[2]
        if op == "pow" and reads[1] in self.numbers:
            exponent = self.numbers[reads[1]]
            return reads[0] if exponent == 1 else self._instruction(op, exponent, power(exponent), reads[:1])
        return self._instruction(op, None, RULES[op], reads)

    def _instruction(self, op: str, exponent: float | None, rule: Rule, reads: list[int]) -> int:
        register, new = self._register((op, exponent, *reads))
        if new:
            reduces = op in REDUCTIONS
            self.instructions[register] = Instruction(rule, tuple(reads), reduces)
            if not self.live.isdisjoint(reads):
                self.live.add(register)
            if not reduces and not self.rows.isdisjoint(reads):
                self.rows.add(register)
        return register

    def _drop_unused(self) -> None:
        """Forget what only a branch needed that was never taken, as in `where(1 > 0, a, b)`."""
        used = self.upstream(self.outputs)
        for filled in (self.numbers, self.columns, self.instructions):
            for register in [r for r in filled if r not in used]:
                del filled[register]
