"""What training came to: of one trial and of a sweep, as plain numbers. Knows neither torch nor how it is printed."""

from gdtrain.results.distinct import Found
from gdtrain.results.folds import FoldEnd, lost, over_folds, pooled
from gdtrain.results.groups import GROUPS_SCHEMA, GroupsResult, GroupTrial
from gdtrain.results.parts import Equation, Parameter, Prediction
from gdtrain.results.result import (
    ROWS,
    SCHEMA,
    SHOWN,
    History,
    Result,
    Verdict,
    history_names,
    plain_numbers,
    shown_epochs,
)
from gdtrain.results.sweep import SWEEP_SCHEMA, SweepResult, as_text
from gdtrain.results.trial import Trial
from gdtrain.results.uncertainty import Uncertainty
from gdtrain.statuses import EXIT_CODES, STATUSES

__all__ = [
    "EXIT_CODES",
    "GROUPS_SCHEMA",
    "ROWS",
    "SCHEMA",
    "SHOWN",
    "STATUSES",
    "SWEEP_SCHEMA",
    "Equation",
    "FoldEnd",
    "Found",
    "GroupTrial",
    "GroupsResult",
    "History",
    "Parameter",
    "Prediction",
    "Result",
    "SweepResult",
    "Trial",
    "Uncertainty",
    "Verdict",
    "as_text",
    "history_names",
    "lost",
    "over_folds",
    "plain_numbers",
    "pooled",
    "shown_epochs",
]
