"""The rows of an experiment: where they are, how they are read, and what some columns say of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import File, Model, NameList, Text, broken
from gdtrain.experiment.split import Split

Column = Annotated[list[float], Field(min_length=1)]


class Data(Model):
    """The rows: numbers written here, or a file."""

    path: File | None = Field(None, description="CSV, TSV, Parquet or NDJSON, beside this file; - is stdin")
    columns: dict[Text, Column] | None = Field(None, description="name: [numbers], all of one length")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="character between cells; found from the file unless given"
    )
    header: NameList | None = Field(None, description="names for a file without a header line")
    comment: Text | None = Field(None, description="lines of the file that start with this are skipped")
    null_values: NameList | None = Field(None, description="words for a missing value, beside the empty cell")
    missing: Literal["error", "drop", "mean"] = Field(
        "error",
        description="rows with a missing value: refused, dropped, or filled with the column's mean (never a target)",
    )
    scale: Literal["none", "standard", "minmax"] = Field(
        "none",
        description="standard: train on columns with mean 0 and standard deviation 1; minmax: on columns from 0 to 1",
    )
    sample_weight: Text | None = Field(
        None, description="column of how often each row counts, 0 or more; fractions are fine"
    )
    weight_type: Literal["auto", "frequency", "analytic"] = Field(
        "auto",
        description="what weights say to standard errors: frequency, a row stands for as many; analytic, it scatters "
        "less by their root; auto: frequency where all are whole numbers",
    )
    sigma: Text | None = Field(
        None, description="column of the known standard error of each row's target: its weight is 1/sigma^2"
    )
    offset: Text | None = Field(None, description="column that is added to each prediction, with no weight to train")
    group_by: Text | None = Field(None, description="column that tells groups of rows apart: each is fitted alone")
    split: Split | None = Field(
        None, description="rows held out of training: {holdout: 0.2}, {folds: 5} or {column: fold, test: 5}"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sigma is not None and self.sample_weight is not None:
            raise broken("sample_weight and sigma exclude each other", "sigma weighs rows by 1/sigma^2", "sigma")
        if self.sample_weight is None and self.weight_type != "auto":
            raise broken("weight_type says what sample_weight is, and there is none", "leave it out", "weight_type")
        if self.columns is None:
            return self
        for key in ("delimiter", "header", "comment", "null_values"):
            if key in self.model_fields_set:
                raise broken(f"{key} says how to read a file, and columns is none", f"leave {key} out", key)
        first, *others = self.columns.items() if self.columns else [("", [])]
        if not first[0]:
            raise broken("columns is empty", "write name: [numbers]", "columns")
        for name, numbers in others:
            if len(numbers) != len(first[1]):
                counts = f"{name} has {len(numbers)}, {first[0]} has {len(first[1])} values"
                raise broken(counts, "give every column as many values", "columns", name)
        return self
