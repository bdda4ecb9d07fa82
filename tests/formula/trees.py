"""Random trees for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from gdtrain.formula import Name, Node, Number, Op
from gdtrain.formula.nodes import COMPARISONS, FUNCTIONS, OPERATORS, REDUCTIONS

NAMES = ("a", "b", "x", "y")

# Differentiable everywhere that their operands are finite, and tame: for comparisons with finite differences.
SMOOTH = {
    **dict.fromkeys(("add", "sub", "mul"), 2),
    **dict.fromkeys(("neg", "sin", "cos", "tanh", "sigmoid", "softplus", "atan", "erf"), 1),
}
EVERYTHING = {**OPERATORS, **FUNCTIONS, **REDUCTIONS}


def numbers() -> st.SearchStrategy[Node]:
    """Literals as a formula can spell them: finite and without a sign."""
    return st.one_of(st.integers(0, 20), st.floats(0, 1e300)).map(lambda value: Number(abs(float(value))))


def trees(operations: dict[str, int], leaves: st.SearchStrategy[Node], max_leaves: int = 12) -> st.SearchStrategy[Node]:
    """Trees of these operations over these leaves; `where` gets a comparison as its first operand."""

    def grow(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        return st.sampled_from(sorted(operations)).flatmap(lambda op: _operation(op, operations[op], children))

    return st.recursive(leaves, grow, max_leaves=max_leaves)


def _operation(op: str, arity: int, children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    if op == "where":
        tests = st.sampled_from(sorted(COMPARISONS)).flatmap(lambda test: _operation(test, 2, children))
        return st.tuples(tests, children, children).map(lambda args: Op("where", args))
    return st.tuples(*[children] * arity).map(lambda args: Op(op, args))


def names(*known: str) -> st.SearchStrategy[Node]:
    return st.sampled_from(known or NAMES).map(Name)
