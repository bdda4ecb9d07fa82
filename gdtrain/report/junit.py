"""JUnit XML, which CI services show as tests: a suite for each experiment, a case for each expectation.

An experiment that ended badly of itself (diverged, no root) has a case `verdict` that failed; one that did not end has
one with an error. Format: the schema of Ant's junitreport, as Jenkins, GitLab and GitHub's reporters read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gdtrain.errors import printable
from gdtrain.report.judged import Judged


def junit(judged: Sequence[Judged]) -> str:
    """The XML document of experiments that were held against what was expected of them."""
    root = Element("testsuites", name="gdtrain")
    for each in judged:
        _suite(root, each)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", _seconds(sum(each.seconds for each in judged)))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(root: Element, judged: Judged) -> None:
    suite = SubElement(root, "testsuite", name=printable(judged.name))
    cases = [(each.expectation.text, "" if each.met else "failure", each.found) for each in judged.outcomes]
    if judged.wrong:
        cases.insert(0, ("verdict", judged.wrong, judged.told))
    for name, wrong, told in cases:
        case = SubElement(suite, "testcase", classname=printable(judged.name), name=printable(name), time="0")
        if wrong:
            SubElement(case, wrong, message=printable(told), type=wrong).text = printable(f"{name}: {told}")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(wrong == "failure" for _, wrong, _ in cases)))
    suite.set("errors", str(sum(wrong == "error" for _, wrong, _ in cases)))
    suite.set("time", _seconds(judged.seconds))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
