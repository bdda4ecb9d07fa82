"""The trees of a trained problem: a formula with its numbers, or weights of columns, hidden layers before them.

Shapes: Q reported parameters, D columns of the design with the constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from gdtrain.experiment.features import offset_column
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.terms import Made, Part
from gdtrain.export.model import Case, Groups, Model, Own, Ref, product, total
from gdtrain.formula import substituted
from gdtrain.formula.nodes import Name, Node, Number, Op, walk
from gdtrain.prediction.grouped import FreshGroups
from gdtrain.problem.portable import Portable

_INVERSE = {"logistic": "sigmoid", "poisson": "exp", "gamma": "exp"}  # of the link of a loss, where it has one
_PROBABILITY = ("logistic", "softmax")


def model_of(portable: Portable, title: str) -> Model:
    """The trees of a trained problem; `title` says which it is."""
    steps: dict[str, Node] = {}
    groups = _groups(portable)
    values = _values(portable, groups)
    etas = _formula(portable, values) if portable.experiment.fit is not None else _weighted(portable, values, steps)
    offsets: list[Node] = [Name(name) for name in offset_column(portable.experiment)]
    etas = [total([eta, *offsets]) if offsets else eta for eta in etas]
    loss = portable.loss.name
    told = portable.classes.names if portable.classes else portable.targets
    probable = loss in _PROBABILITY
    value = "probability" if probable else "prediction"
    names = [value] if len(told) == 1 else [f"{value}.{one}" for one in told]
    if portable.classes:
        outputs = _softmax([Number(0.0), *etas], steps)
    else:
        outputs = [Op(_INVERSE[loss], (eta,)) if loss in _INVERSE else eta for eta in etas]
    fills = dict(portable.fresh.means) if portable.fresh.missing == "mean" else {}
    return Model(title, steps, dict(zip(names, outputs, strict=True)), fills, told, probable, groups)


def _groups(portable: Portable) -> Groups | None:
    """The parameters that were trained in each group, of those groups whose fit predicts; None of one fit alone."""
    fresh = portable.fresh
    if not isinstance(fresh, FreshGroups):
        return None
    kept = [g for g, refusal in enumerate(fresh.refusals) if refusal is None]
    differ = [q for q, name in enumerate(portable.names.parameters) if not portable.experiment.param(name).fixed]
    numbers = {portable.names.parameters[q]: portable.values_Q[kept, q].tolist() for q in differ}
    return Groups(fresh.column, [fresh.values[g] for g in kept], numbers)


def _values(portable: Portable, groups: Groups | None) -> dict[str, Node]:
    """What stands for each parameter: its number, or the one that it has in the group of the row."""
    numbers = portable.values_Q if groups is None else portable.values_Q[0]
    values: dict[str, Node] = dict(zip(portable.names.parameters, map(Number, numbers.tolist()), strict=True))
    return values | {name: Own(name) for name in (groups.numbers if groups else ())}


def _formula(portable: Portable, values: Mapping[str, Node]) -> list[Node]:
    """The right side of a formula, its parameters by their values."""
    right = sides("fit", portable.experiment.fit or "")[1]
    return [_signed(substituted(right, values))]


def _signed(tree: Node) -> Node:
    """A tree without the minus of a number, which the number then has."""
    stack: list[Node] = []
    for node in walk(tree):
        if not isinstance(node, Op):
            stack.append(node)
            continue
        first = len(stack) - len(node.args)
        args = tuple(stack[first:])
        number = args[0] if node.op == "neg" else None
        stack[first:] = [Number(-number.value) if isinstance(number, Number) else Op(node.op, args)]
    return stack[0]


def _weighted(portable: Portable, numbers: Mapping[str, Node], steps: dict[str, Node]) -> list[Node]:
    """What `regress` predicts before the inverse of the link: of each target, or of each class but the first."""
    regress, model = portable.experiment.regress, portable.experiment.model
    assert regress is not None
    values = iter(numbers.values())
    design = portable.names.design
    outputs = len(portable.classes.names) - 1 if portable.classes else len(portable.targets)
    levels = _Levels(portable.names.levels, unseen=portable.fresh.unseen)
    if model is None:
        width = len(design) + regress.intercept
        return [_linear(design, list(islice(values, width)), levels) for _ in range(outputs)]
    # Of hidden layers, softplus is z itself above 20, as in torch.nn.
    activation = "softplus20" if model.activation == "softplus" else model.activation
    inputs: list[Node] = []
    for layer, units in enumerate(model.layers):
        for unit in units:
            if layer == 0:
                z = _linear(design, list(islice(values, len(design) + 1)), levels)
            else:
                z = _sum(inputs, list(islice(values, len(inputs) + 1)))
            steps[unit] = Op(activation, (z,))
        inputs = [Ref(unit) for unit in units]
    return [_sum(inputs, list(islice(values, len(inputs) + regress.intercept))) for _ in range(outputs)]


def _sum(inputs: Sequence[Node], weights: Sequence[Node]) -> Node:
    """Weights of inputs, and the constant where there is one more of them."""
    terms = [_times(weight, [each]) for weight, each in zip(weights, inputs, strict=False)]
    return total([*terms, *weights[len(inputs) :]])


def _times(weight: Node, factors: Sequence[Node]) -> Node:
    return Number(0.0) if isinstance(weight, Number) and weight.value == 0 else product([weight, *factors])


class _Levels:
    """Columns of text, and what becomes of a text that is no level."""

    def __init__(self, texts: Mapping[str, Sequence[str]], *, unseen: bool) -> None:
        self._texts, self._unseen = texts, unseen

    def case(self, column: str, numbers: Mapping[int, float]) -> Case:
        """The number of each level, 0 for those that are not told."""
        found = tuple((text, numbers.get(i, 0.0)) for i, text in enumerate(self._texts[column]))
        return Case(column, numbers=found, otherwise=found[0][1] if self._unseen else None)


def _linear(design: Sequence[Made], weights: Sequence[Node], levels: _Levels) -> Node:
    """Weights of the columns of a design. Indicators of one column that share their other factors are one `Case`, where
    weights are numbers.
    """
    terms: dict[object, tuple[Sequence[Part], str, dict[int, float]] | Node] = {}
    for made, weight in zip(design, weights, strict=False):
        *_, last = made.parts
        if last.level is None or not isinstance(weight, Number):
            terms[made.name, None] = _times(weight, [_factor(part, levels) for part in made.parts])
            continue
        rest, column = made.parts[:-1], last.factor.column or ""
        term = terms.setdefault((rest, column), (rest, column, {}))
        assert isinstance(term, tuple)
        term[2][last.level] = weight.value
    found = [_cased(*term, levels) if isinstance(term, tuple) else term for term in terms.values()]
    return total([*found, *weights[len(design) :]])


def _cased(rest: Sequence[Part], column: str, numbers: Mapping[int, float], levels: _Levels) -> Node:
    return product([*(_factor(part, levels) for part in rest), levels.case(column, numbers)])


def _factor(part: Part, levels: _Levels) -> Node:
    """The numbers of a factor, or the indicator of a level."""
    if part.level is not None:
        return levels.case(part.factor.column or "", {part.level: 1.0})
    return part.factor.tree if part.factor.tree is not None else Name(part.factor.column or "")


def _softmax(etas: Sequence[Node], steps: dict[str, Node]) -> list[Node]:
    """p_k = 1 / sum_j exp(eta_j - eta_k), which no large eta overflows."""
    refs: list[Node] = [etas[0]]
    for k, eta in enumerate(etas[1:], 1):
        steps[f"eta{k}"] = eta
        refs.append(Ref(f"eta{k}"))

    def term(other: Node, own: Node) -> Node:
        if other is own:
            return Number(1.0)
        if isinstance(own, Number):  # the reference, whose eta is 0
            return Op("exp", (other,))
        return Op("exp", (Op("neg", (own,)) if isinstance(other, Number) else Op("sub", (other, own)),))

    return [Op("div", (Number(1.0), total([term(other, own) for other in refs]))) for own in refs]
