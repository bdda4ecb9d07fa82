"""What training came to: of one trial and of a sweep, as plain numbers. Knows neither torch nor how it is printed."""

from gdtrain.results.distinct import Found
from gdtrain.results.folds import FoldEnd, lost, over_folds, pooled
from gdtrain.results.result import (
    EXIT_CODES,
    ROWS,
    SCHEMA,
    SHOWN,
    STATUSES,
    Equation,
    History,
    Parameter,
    Prediction,
    Result,
    Verdict,
    history_names,
    plain_numbers,
    shown_epochs,
)
from gdtrain.results.sweep import SWEEP_SCHEMA, SweepResult, as_text
from gdtrain.results.trial import Trial

__all__ = [
    "EXIT_CODES",
    "ROWS",
    "SCHEMA",
    "SHOWN",
    "STATUSES",
    "SWEEP_SCHEMA",
    "Equation",
    "FoldEnd",
    "Found",
    "History",
    "Parameter",
    "Prediction",
    "Result",
    "SweepResult",
    "Trial",
    "Verdict",
    "as_text",
    "history_names",
    "lost",
    "over_folds",
    "plain_numbers",
    "pooled",
    "shown_epochs",
]
