"""The columns of a design from those of a table: indicators of levels, expressions, and their products.

Shapes: n rows of a block.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from gdtrain.errors import DATA, UserError
from gdtrain.experiment.terms import Factor, Made
from gdtrain.formula.evaluate import evaluate

Columns = dict[str, np.ndarray]  # float64 (n,) each
RowNumbers = Sequence[int] | np.ndarray  # of the rows of a block, in the table, from 1


class Design:
    """Makes the columns of `made`, which all hold finite numbers.

    where  what messages call the table
    """

    def __init__(self, made: Sequence[Made], where: str) -> None:
        self._made, self._where = made, where

    def __call__(self, block: Mapping[str, np.ndarray], numbers: RowNumbers) -> Columns:
        """name -> float64 (n,), for rows whose columns of text are codes; a code below 0 is the reference, 0.

        numbers  of the rows, for what messages say

        Raises UserError (DATA) with the row and the column where a number is not finite.
        """
        found: Columns = {}
        values: dict[str, np.ndarray] = {}
        for column in self._made:
            product: np.ndarray | None = None
            for part in column.parts:
                if part.level is None:
                    one = self._factor(part.factor, block, values, numbers)
                else:
                    codes = block[part.factor.column or ""]
                    one = ((codes == part.level) | ((codes < 0) & (part.level == 0))).astype(np.float64)
                product = one if product is None else self._product(product, one, column.name, numbers)
            assert product is not None
            found[column.name] = product
        return found

    def _factor(
        self, factor: Factor, block: Mapping[str, np.ndarray], values: dict[str, np.ndarray], numbers: RowNumbers
    ) -> np.ndarray:
        """The numbers of a factor, worked out once a block."""
        if factor.tree is None:
            return block[factor.column or ""]
        if factor.text not in values:
            inputs = {name: torch.from_numpy(_writable(block[name])) for name in factor.columns}
            size = len(next(iter(inputs.values())))
            made: np.ndarray = evaluate(factor.tree, inputs).expand(size).numpy()
            finite = np.isfinite(made)
            if not finite.all():
                row = int(np.argmin(finite))
                shown = ", ".join(f"{name} = {float(column[row]):.6g}" for name, column in inputs.items())
                raise self._not_finite(f"{factor.text} is not finite ({shown})", numbers[row])
            values[factor.text] = made
        return values[factor.text]

    def _product(self, left: np.ndarray, right: np.ndarray, name: str, numbers: RowNumbers) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an overflow is told below
            product: np.ndarray = left * right
        finite = np.isfinite(product)
        if not finite.all():
            raise self._not_finite(f"{name} is too large for float64", numbers[int(np.argmin(finite))])
        return product

    def _not_finite(self, what: str, row: int) -> UserError:
        where = f"{self._where}, row {row:,}"
        return UserError(what, where=where, remedy="mend the row, or take the feature out", code=DATA)


def _writable(values: np.ndarray) -> np.ndarray:
    return values if values.flags.writeable else values.copy()
