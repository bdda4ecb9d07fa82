"""Schedules by name, with the options, defaults and rules of torch.optim.lr_scheduler; clipping. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import Fraction, Model, NonNegative, Positive, Whole, broken

Option = float | bool | str

# What each schedule takes and has a default for, which is that of torch.optim.lr_scheduler.
DEFAULTS: Mapping[str, Mapping[str, Option]] = {
    "step": {"gamma": 0.1},
    "multistep": {"gamma": 0.1},
    "exponential": {},
    "cosine": {"eta_min": 0.0},
    "cosine_restarts": {"T_mult": 1, "eta_min": 0.0},
    "onecycle": {
        "pct_start": 0.3,
        "anneal_strategy": "cos",
        "div_factor": 25.0,
        "final_div_factor": 1e4,
        "three_phase": False,
    },
    "linear": {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5},
    "plateau": {
        "mode": "min",
        "factor": 0.1,
        "patience": 10,
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "min_lr": 0.0,
        "eps": 1e-8,
    },
}
# What each needs, with an example.
NEEDED: Mapping[str, tuple[str, str]] = {
    "step": ("step_size", "30"),
    "multistep": ("milestones", "[30, 80]"),
    "exponential": ("gamma", "0.99"),
    "cosine_restarts": ("T_0", "50"),
}
LENGTH: Mapping[str, str] = {"cosine": "T_max", "onecycle": "total_steps"}  # the epochs of the run, unless given
_OPTIONAL: Mapping[str, Sequence[str]] = {"onecycle": ("max_lr", "cycle_momentum")}
# Every option of each schedule.
OPTIONS: Mapping[str, Sequence[str]] = {
    name: [
        *([NEEDED[name][0]] if name in NEEDED else []),
        *([LENGTH[name]] if name in LENGTH else []),
        *defaults,
        *_OPTIONAL.get(name, ()),
    ]
    for name, defaults in DEFAULTS.items()
}

Count = Annotated[Whole, Field(ge=1, le=10**12)]
Waited = Annotated[Whole, Field(ge=0, le=10**12)]
Share = Annotated[float, Field(ge=0, le=1)]


def _option(description: str) -> Any:
    return Field(None, description=description)


class Schedule(Model):
    """A schedule of the learning rate, with the options that OPTIONS lists for it."""

    name: Literal["step", "multistep", "exponential", "cosine", "cosine_restarts", "onecycle", "linear", "plateau"] = (
        Field(description="which one, as in torch.optim.lr_scheduler; a bare name where it needs no option")
    )
    step_size: Count | None = _option("step: epochs between changes")
    milestones: Annotated[list[Waited], Field(min_length=1)] | None = _option("multistep: epochs at which lr changes")
    gamma: Positive | None = _option("step, multistep, exponential: what lr is multiplied by")
    T_max: Count | None = _option("cosine: epochs down to eta_min; those of the run unless given")
    T_0: Count | None = _option("cosine_restarts: epochs up to the first restart")
    T_mult: Count | None = _option("cosine_restarts: how many times longer each is than the one before")
    eta_min: NonNegative | None = _option("cosine, cosine_restarts: the lowest lr")
    total_steps: Count | None = _option("onecycle: epochs of the cycle; those of the run unless given")
    max_lr: Positive | None = _option("onecycle: the highest lr; train.lr unless given")
    pct_start: Share | None = _option("onecycle: share of the cycle in which lr rises")
    anneal_strategy: Literal["cos", "linear"] | None = _option("onecycle: along half a cosine, or a line")
    div_factor: Positive | None = _option("onecycle: the highest lr over the first")
    final_div_factor: Positive | None = _option("onecycle: the first lr over the last")
    three_phase: bool | None = _option("onecycle: down to the first lr as long as it rose, and then to the last")
    cycle_momentum: bool | None = _option("onecycle: false; momentum stays as the optimizer has it")
    start_factor: Annotated[float, Field(gt=0, le=1)] | None = _option("linear: what lr is multiplied by at first")
    end_factor: Share | None = _option("linear: what lr is multiplied by in the end")
    total_iters: Count | None = _option("linear: epochs from start_factor to end_factor")
    mode: Literal["min"] | None = _option("plateau: a lower loss is better")
    factor: Fraction | None = _option("plateau: what lr is multiplied by")
    patience: Waited | None = _option("plateau: epochs without a better loss that are let pass")
    threshold: NonNegative | None = _option("plateau: how much better a loss must be")
    threshold_mode: Literal["rel", "abs"] | None = _option("plateau: whether threshold is a share of the best loss")
    cooldown: Waited | None = _option("plateau: epochs after a change in which none counts")
    min_lr: NonNegative | None = _option("plateau: the lowest lr")
    eps: NonNegative | None = _option("plateau: a change of at most this is not made")

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, value: Any) -> Any:
        """With the defaults of what was left out."""
        return {**DEFAULTS.get(str(value.get("name")), {}), **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _as_torch_has_it(self) -> Self:
        needed, example = NEEDED.get(self.name, ("name", ""))
        if getattr(self, needed) is None:
            raise broken(f"{self.name} needs {needed}", f"write {{name: {self.name}, {needed}: {example}}}")
        if self.cycle_momentum:
            raise broken("onecycle leaves momentum as it is here", "leave cycle_momentum out", "cycle_momentum")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The options of this schedule by torch's keyword name, defaults filled in."""
        return self.model_dump(exclude={"name", "cycle_momentum"}, exclude_none=True)


class Clip(Model):
    """What gradients are clipped to before each step: exactly one of the two."""

    norm: Positive | None = Field(None, description="a longer gradient is shortened to this norm, over all parameters")
    value: Positive | None = Field(None, description="each component is held within -value and value")

    @property
    def rule(self) -> tuple[str, float]:
        """`norm` or `value`, and how much."""
        return next((name, most) for name, most in (("norm", self.norm), ("value", self.value)) if most is not None)
