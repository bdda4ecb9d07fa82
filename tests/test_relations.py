"""What is determined where parameters are not determined one by one, as a warning says it."""

from __future__ import annotations

from typing import Any

import pytest

from gdtrain import fit, regress, solve

X, Y = [0.5, 1, 2, 3, 4, 5.5], [1.1, 1.9, 4.2, 5.8, 8.1, 11.3]
ROWS = {"x": X, "y": Y}
CM = [150.0, 160, 172, 181, 190, 168]

FITS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("y = a*b*x", {}, ["a and b ...; only a*b is determined: scaling a by 2 and b by 1/2 changes nothing"]),
    ("y = a*b*c*x", {}, ["a, b and c ...; only a*b*c is determined: scaling a by 2 and c by 1/2 changes nothing"]),
    ("y = a*b^2*x", {}, ["a and b ...; only a*b^2 is determined: scaling a by 4 and b by 1/2 changes nothing"]),
    ("y = a/b*x", {}, ["a and b ...; only a/b is determined: scaling a by 2 and b by 2 changes nothing"]),
    ("y = x/(a*b)", {}, ["a and b ...; only a*b is determined: scaling a by 2 and b by 1/2 changes nothing"]),
    ("y = a*x + b + c", {}, ["b and c ...; only b + c is determined: adding 1 to b and -1 to c changes nothing"]),
    ("y = a*x + b - 3*c", {}, ["b and c ...; only b - 3*c is determined: adding 3 to b and 1 to c changes nothing"]),
    ("y = sin(a + b)*x", {}, ["a and b ...; only a + b is determined: adding 1 to a and -1 to b changes nothing"]),
    (
        "y = a*b*x + c + d",
        {},
        [
            "a and b ...; only a*b is determined: scaling a by 2 and b by 1/2 changes nothing",
            "c and d ...; only c + d is determined: adding 1 to c and -1 to d changes nothing",
        ],
    ),
    (
        "y = a*exp(b + c*x/10)",
        {},
        ["a and b ...; only a*exp(b) is determined: scaling a by 2 and adding -0.693147 to b changes nothing"],
    ),
    (
        "y = exp(2*b + c*x/10)/a",
        {"a": 0.5, "b": 0.2},
        ["b and a ...; only a*exp(-2*b) is determined: scaling a by 2 and adding 0.346574 to b changes nothing"],
    ),
    # Neither a sum nor a product: told in numbers.
    (
        "y = hypot(a, b)*x",
        {"a": 3.0, "b": 4.0},
        ["a and b ...: near the values found they can change together in 1 way"],
    ),
    ("y = a*x + 0*b", {}, ["near the values found, nothing depends on b"]),
    ("y = a*x + b", {}, []),
]


def told(warnings: list[str]) -> list[str]:
    named = [warning for warning in warnings if "determined" in warning or "depends on" in warning]
    return sorted(warning.replace("are not determined one by one", "...") for warning in named)


@pytest.mark.parametrize(("formula", "starts", "expected"), FITS)
def test_fit(formula: str, starts: dict[str, float], expected: list[str]) -> None:
    found = told(fit(formula, ROWS, polish=True, params=starts).warnings)
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True))


def test_values_that_happen_to_cancel_mislead_nobody() -> None:
    """At the optimum b + c = 0: there, scaling both changes nothing either."""
    (found,) = told(fit("y = a*x + b + c", {"x": [1, 2, 3, 4], "y": [1, 5, 7, 7]}).warnings)
    assert "only b + c is determined: adding 1 to b and -1 to c" in found


LEVELS = {"i": [1.0, 1, 0, 0, 0, 0], "j": [0.0, 0, 1, 1, 0, 0], "k": [0.0, 0, 0, 0, 1, 1]}
TABLES: list[tuple[dict[str, list[float]], str]] = [
    (
        {"cm": CM, "inch": [cm / 2.54 for cm in CM]},
        "cm and inch ...; only 2.54*cm + inch is determined: adding 1 to cm and -2.54 to inch changes nothing",
    ),
    (
        {"x": X, "c": [5.0] * 6},
        "c and intercept ...; only 5*c + intercept is determined: adding 1 to c and -5 to intercept changes nothing",
    ),
    (
        LEVELS,
        "i, j, k and intercept ...; only together: adding 1 to i, 1 to j, 1 to k and -1 to intercept changes nothing",
    ),
]


@pytest.mark.parametrize("scale", ["none", "standard", "minmax"])
@pytest.mark.parametrize(("columns", "expected"), TABLES)
def test_regress(columns: dict[str, list[float]], expected: str, scale: str) -> None:
    """In the units of the data, however the columns were scaled."""
    keys: dict[str, Any] = {"data.scale": scale, "epochs": 10**6}
    assert told(regress({**columns, "y": Y}, "y", **keys).warnings) == [expected]


def test_solve() -> None:
    found = told(solve(["x + y + z = 3", "x - z = 1"]).warnings)
    assert found == ["x, y and z ...; only together: adding 1 to x, -2 to y and 1 to z changes nothing"]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("(x - 1)^2 = 0", ["the derivatives by x vanish at the values found"]),  # it moves, but not at first order
        ("x = x", ["near the values found, nothing depends on x"]),
    ],
)
def test_derivatives_that_vanish_are_no_freedom(equation: str, expected: list[str]) -> None:
    warnings = solve(equation, params={"x": 1.0}).warnings
    assert [one for one in warnings if "vanish" in one or "depends on" in one] == expected
