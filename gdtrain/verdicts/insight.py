"""What the curvature of a loss tells of a descent: its limits, how far it is from the optimum, what is hopeless.

Shapes: P trained parameters, Q reported ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gdtrain.engines.stability import best_lr, epochs_to_near, lr_limit
from gdtrain.experiment.schema import Experiment
from gdtrain.linalg.determined import Here, plainly_determined, undetermined
from gdtrain.local.curvature import largest_curvature
from gdtrain.planning.plan import Plan
from gdtrain.planning.rates import curvatures
from gdtrain.problem.measured import alike, separated
from gdtrain.problem.quadratic import Quadratic
from gdtrain.verdicts.lower import lower

HOPELESS = 1e6  # condition number from which plain descent takes millions of epochs
_EXCESS = 1e-6  # share of the loss at theta = 0 that is no rounding error
_MANY = 1e15  # epochs of which all digits are no help
_JACOBIAN_WORK = 1e9  # rows times squared parameters up to which what is not determined is looked for
_LOCAL_ROWS = 1 << 18  # rows up to which the curvature of a loss that is not quadratic is worth its second derivatives


@dataclass(frozen=True)
class Curvature:
    """What is known of the loss's Hessian.

    largest, smallest  eigenvalues; of a loss that is not quadratic the largest at the start alone (`local`)
    condition          largest over smallest of those that are not 0
    lr_limit, lr_best  for this optimizer; None where it is not sgd
    epochs             to come within a millionth of the distance to the optimum, at the lr of the run
    optimum_Q          exact least-squares solution in the units of the data; of several the nearest to the end; with
                       an l2 penalty that of loss + penalty, ridge's; None with an l1, and where it lies beyond a bound
    loss               there
    excess             how much the loss at the end lies above that; with a penalty the objective
    objective          loss + penalty at the optimum; None without a penalty
    """

    local: bool
    largest: float
    smallest: float | None = None
    condition: float | None = None
    lr_limit: float | None = None
    lr_best: float | None = None
    epochs: float | None = None
    optimum_Q: Tensor | None = None
    loss: float | None = None
    excess: float | None = None
    objective: float | None = None

    def document(self, names: list[str]) -> dict[str, Any]:
        """The `curvature` section of a result document."""
        optimum = None if self.optimum_Q is None else dict(zip(names, self.optimum_Q.tolist(), strict=True))
        fields = {
            "local": self.local,
            "largest": self.largest,
            "smallest": self.smallest,
            "condition": self.condition,
            "lr_limit": self.lr_limit,
            "lr_best": self.lr_best,
            "epochs_to_optimum": self.epochs,
            "optimum": optimum,
            "loss_at_optimum": self.loss,
            "objective_at_optimum": self.objective,
            "excess_loss" if self.objective is None else "excess_objective": self.excess,
        }
        return {key: value for key, value in fields.items() if value is not None}


def steepest(plan: Plan) -> list[float] | None:
    """The largest curvature at each trial's start, of a loss that is not quadratic; None where it costs too much, and
    of hidden layers, where it says nothing of a few epochs later.
    """
    if plan.problem.quadratic is not None or plan.problem.network is not None:
        return None
    if plan.problem.rows > _LOCAL_ROWS and not bool(plan.halving_S.any()):
        return None
    known = plan.steepest_S
    largest: list[float] = (largest_curvature(plan.smooth, plan.theta_SP) if known is None else known).tolist()
    return largest


def curvature_of(plan: Plan, end_P: Tensor, largest: float | None) -> Curvature | None:
    """What the curvature tells of a plan of one trial and its end; None where nothing is known or it is not finite.

    largest  what `steepest` found at its start
    """
    if plan.quadratic is not None:
        return _of_quadratic(plan, plan.quadratic, end_P.double())
    if largest is None or not math.isfinite(largest):
        return None
    h_1 = plan.theta_SP.new_tensor([largest]) + plan.sgd.weight_decay
    return Curvature(local=True, largest=largest, lr_limit=lr_limit(h_1, plan.sgd) if plan.descends else None)


def _of_quadratic(plan: Plan, quadratic: Quadratic, end_P: Tensor) -> Curvature:
    eigenvalues_P, spectrum, sgd = quadratic.eigenvalues_P, quadratic.spectrum, plan.sgd
    h_P = curvatures(quadratic, sgd)
    known = Curvature(
        local=False,
        largest=float(eigenvalues_P[0]),
        smallest=float(eigenvalues_P[-1]),
        condition=spectrum.condition if spectrum.rank else None,
        lr_limit=lr_limit(h_P, sgd) if plan.descends else None,
        lr_best=best_lr(h_P, sgd) if plan.descends else None,
    )
    return known if plan.sparse else _with_optimum(known, plan, quadratic, end_P)


def _with_optimum(known: Curvature, plan: Plan, quadratic: Quadratic, end_P: Tensor) -> Curvature:
    """What is known of the minimum of what is descended, and of the way to it; nothing where bounds bar that way."""
    assert plan.problem.quadratic is not None
    finite = bool(end_P.isfinite().all())
    solution_P = quadratic.solution(end_P if finite else None) + 0.0  # no -0
    if plan.bounds is not None and not bool(((solution_P >= plan.bounds[0]) & (solution_P <= plan.bounds[1])).all()):
        return known
    loss, _ = plan.problem.quadratic.loss_and_gradient(solution_P[None])
    objective, _ = quadratic.loss_and_gradient(solution_P[None])
    return replace(
        known,
        epochs=epochs_to_near(curvatures(quadratic, plan.sgd), plan.sgd, plan.lr)
        if plan.descends and plan.steady
        else None,
        optimum_Q=plan.problem.parameters.values(solution_P.to(plan.theta_SP)),
        loss=float(loss[0]),
        excess=float(quadratic.excess(end_P)) if finite else None,
        objective=None if plan.penalty is None else float(objective[0]),
    )


def cautions(experiment: Experiment, plan: Plan, curvature: Curvature) -> list[str]:
    """Sentences about an lr beyond its limit, and about columns that make descent hopeless."""
    found = []
    if curvature.lr_limit == 0:
        found.append(f"descent comes to rest at no lr: {plan.unstable or plan.restless}")
    elif plan.steady and curvature.lr_limit is not None and plan.lr > curvature.lr_limit * (1 + 1e-9):
        best = f"; {curvature.lr_best:.3g} is best" if curvature.lr_best else ""
        where = " at the start" if curvature.local else ""
        found.append(f"lr {plan.lr:.4g} is beyond {curvature.lr_limit:.4g}, from which descent diverges{where}{best}")
    if plan.descends and plan.quadratic is not None and (condition := _condition(plan)) > HOPELESS:
        what = f"the condition number is {condition:.2g}: plain descent would take about as many epochs"
        found.append(f"{what}; {_mend(experiment)}")
    return found


def _left_behind(plan: Plan, quadratic: Quadratic, excess: float) -> bool:
    """Whether the descent ended hardly nearer to its optimum than it began, and not for want of digits."""
    at_start = float(quadratic.excess(plan.theta_SP[0].double()))
    return excess > _EXCESS * quadratic.size and excess > at_start / 2


def _condition(plan: Plan) -> float:
    """Of what is descended, weight decay included; 0 where nothing is."""
    assert plan.quadratic is not None
    h_P = curvatures(plan.quadratic, plan.sgd)
    steep_P = h_P[h_P > 0]
    return float(steep_P.max() / steep_P.min()) if len(steep_P) else 0.0


def hints(
    experiment: Experiment, plan: Plan, curvature: Curvature | None, end_P: Tensor, loss: float, status: str
) -> list[str]:
    """Everything that a reader of the result should be warned of.

    Far from a minimum one row may outweigh all others, which says nothing of the data: what they do not determine is
    looked for where the descent has settled, or is better than predicting nothing at all.
    """
    if status in ("diverged", "no_root"):
        return []
    found = [] if curvature is None else cautions(experiment, plan, curvature)
    problem = plan.problem
    if not _held_back(experiment, plan) and separated(problem, end_P):
        found.append("the classes are separated perfectly: weights grow without bound; add a penalty")
    if plan.quadratic is not None:
        if curvature and status == "converged" and _left_behind(plan, plan.quadratic, curvature.excess or 0.0):
            what = "the gradient is below its tolerance, but the loss is far above its optimum"
            found.append(f"{what}: bring the columns to larger units")
        return found + loose(plan, end_P)
    end_P = end_P.clone()  # what the engine made cannot be differentiated
    settled = status in ("converged", "stopped")
    if not (settled or loss <= problem.loss_scale) or problem.rows * len(end_P) ** 2 > _JACOBIAN_WORK:
        return found
    if problem.network is None:  # units of a hidden layer can always stand in for one another
        found += loose(plan, end_P)
    if status == "converged" and problem.kind != "solve" and not plan.sparse:
        found += lower(plan, end_P, loss)
    return found


def loose(plan: Plan, theta_P: Tensor) -> list[str]:
    """Sentences about parameters of a plan of one trial that neither the data nor a penalty determine, near theta.

    l2 determines the weights. l1 holds those that it brought to 0; the others are as loose as the data leave them: at a
    minimum no direction that moves no residual changes the sum of their sizes.
    """
    names, quadratic = plan.problem.parameters.trained, plan.quadratic
    if quadratic is None and plainly_determined(plan.smooth.jacobians(theta_P[None])):
        return []
    jacobians = [quadratic.R_MP] if quadratic is not None else plan.smooth.jacobians(theta_P[None])
    if plan.penalty is None or not plan.sparse:
        return undetermined(jacobians, names, _here(plan, theta_P))
    moving = ((theta_P != 0) | (plan.penalty.l1(theta_P)[0] == 0)).nonzero()[:, 0]
    kept = [names[i] for i in moving.tolist()]
    return undetermined((jacobian_NP[:, moving] for jacobian_NP in jacobians), kept) if kept else []


def _here(plan: Plan, theta_P: Tensor) -> Here:
    problem = plan.problem
    parameters, free = problem.parameters, problem.parameters.free
    values_Q = parameters.values(theta_P)

    def theta(values_P: Tensor) -> Tensor:
        whole_Q = values_Q.clone()
        whole_Q[free] = values_P
        return parameters.theta(whole_Q)

    return Here(
        values_Q[free],
        lambda step: parameters.moved(step)[..., free],
        lambda slopes: parameters.gradient(slopes)[..., free],
        lambda one_P, other_P: alike(problem, theta(one_P), theta(other_P)),
    )


def _held_back(experiment: Experiment, plan: Plan) -> bool:
    """Whether bounds, a penalty or weight decay keep the weights from growing."""
    held = plan.bounds is not None or plan.penalty is not None
    return held or bool(experiment.train.optimizer.options.get("weight_decay"))


def _mend(experiment: Experiment) -> str:
    if experiment.solve:
        return "bring the unknowns to like sizes"
    if experiment.regress and experiment.data and experiment.data.scale == "none":
        return "set data.scale: standard"
    if experiment.regress:
        return "some columns nearly depend on one another: leave one out"
    return "bring the columns to like sizes, and centre them"


def sentences(curvature: Curvature, names: list[str], few: int, where: str = "end") -> list[str]:
    """What a reader wants of it, in a line or two; `where` is the point that the optimum is compared to."""
    lines = []
    limits = [
        f"largest curvature {curvature.largest:.4g}" + (" at the start" if curvature.local else ""),
        *_if(curvature.condition, "condition number {:.3g}"),
        *_if(curvature.lr_limit, "lr limit {:.4g}"),
        *_if(curvature.lr_best, "best {:.4g}"),
        *_epochs(curvature.epochs),
    ]
    lines.append(", ".join(limits))
    if curvature.optimum_Q is not None:
        values = [f"{n} = {v:.6g}" for n, v in zip(names[:few], curvature.optimum_Q.tolist(), strict=False)]
        more = [f"{len(names) - few} more"] if len(names) > few else []
        above = "" if curvature.excess is None else f"; the {where} lies {curvature.excess:.3g} above it"
        least = f"loss {curvature.loss:.6g}" if curvature.objective is None else f"objective {curvature.objective:.6g}"
        lines.append(f"optimum ({least}): {', '.join([*values, *more])}{above}")
    return lines


def _epochs(count: float | None) -> list[str]:
    shown = "{:,.0f}" if count is not None and count < _MANY else "{:.3g}"
    return _if(count, f"{shown} epoch{'s'[: count != 1]} to come within 1e-6 of the optimum")


def _if(value: float | None, form: str) -> list[str]:
    return [] if value is None or not math.isfinite(value) else [form.format(value)]
