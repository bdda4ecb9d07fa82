"""Result documents that were saved: read, and told from what else a JSON file may hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from gdtrain.errors import UserError
from gdtrain.results.groups import GROUPS_SCHEMA
from gdtrain.results.result import SCHEMA
from gdtrain.results.sweep import SWEEP_SCHEMA
from gdtrain.statuses import EXIT_CODES

INSIDE = "result.json"  # of a folder that holds a result
_BEGUN = "run.json"  # of one that keeps a run, also before it has a result
_SAVE = "save one with gdtrain run FILE --format json > result.json"
_MOST = 1 << 30  # bytes
_LONGEST = 300  # digits of a whole number that a float can hold
_KNOWN = (SCHEMA, SWEEP_SCHEMA, GROUPS_SCHEMA)


def read_result(path: str, where: str, stdin: IO[Any] | None = None, *, groups: bool = False) -> dict[str, Any]:
    """The result document at a path: a file, a folder with a `result.json` in it, or `-`, standard input.

    where   what messages say before the path, such as the option that it came from
    groups  whether the document of groups will do as well

    Raises UserError (exit 2) for anything else, a sweep's document among them.
    """
    return one_result(_loaded(path, where, stdin), path, where, groups=groups)


def one_result(document: Any, path: str, where: str = "", *, groups: bool = False) -> dict[str, Any]:
    """A document that is of a result, as for `read_result`; `path` is what messages call it."""
    place = f"{where}: {path}" if where else path
    schema = _schema(document, path, where)
    if schema == SCHEMA or (groups and schema == GROUPS_SCHEMA):
        return dict(document)
    if isinstance(schema, str) and schema.startswith("gdtrain.") and schema.partition("/")[0] != "gdtrain.result":
        if schema == GROUPS_SCHEMA:
            what = f"holds the fits of {len(document.get('trials', ())):,} groups"
            raise UserError(what, where=place, remedy="save one of its `trials` alone")
        count = len(document.get("trials", ())) if schema == SWEEP_SCHEMA else 0
        held = f"holds {count:,} results" if count else f"holds no single result, but a {schema.partition('/')[0]}"
        remedy = "train one alone (the last line of a sweep says how) and save that, or save one of its `trials`"
        raise UserError(held, where=place, remedy=remedy)
    raise UserError(f"{path} is no result document", where=where, remedy=_SAVE)


def doubts(document: Mapping[str, Any], path: str) -> list[str]:
    """What to warn of who uses a result: that its run diverged, or was stopped before its end; of groups, some."""
    if document.get("schema") == GROUPS_SCHEMA:
        return [*_doubts_of_groups(document, path)]
    verdict = document.get("verdict")
    if not isinstance(verdict, Mapping) or verdict.get("status") not in [*EXIT_CODES]:
        return []
    return [f"{path} is of a run that ended {verdict['status']}: {verdict.get('detail', '')}"]


def _doubts_of_groups(document: Mapping[str, Any], path: str) -> Iterator[str]:
    if "planned" in document:
        yield f"{path} is of a fit that was stopped: it has {document.get('count')} of {document['planned']} groups"
    if isinstance(verdicts := document.get("verdicts"), Mapping) and (count := verdicts.get("diverged")):
        yield f"{path}: the fits of {count} of {document.get('count')} groups diverged, and predict nothing"


@contextmanager
def undamaged(path: str) -> Iterator[None]:
    """What a document lacks, or has of another kind, where it is made use of becomes a UserError that names it."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        remedy = "save it again: gdtrain run FILE --format json > result.json"
        raise UserError("is damaged: its sections do not fit together", where=path, remedy=remedy) from None


def read_document(path: str, stdin: IO[Any] | None = None) -> dict[str, Any]:
    """The document at a path as for `read_result`, of a result, a sweep or groups. Raises UserError (exit 2) else."""
    document = _loaded(path, "", stdin)
    if _schema(document, path) in _KNOWN:
        return dict(document)
    raise UserError(f"{path} is no result document", remedy=_SAVE)


def _schema(document: Any, path: str, where: str = "") -> object:
    """The schema that a document names; None where it cannot be that. Raises UserError for another version's."""
    schema = document.get("schema") if isinstance(document, Mapping) else None
    for known in _KNOWN:
        name, _, version = known.rpartition("/")
        if isinstance(schema, str) and schema.startswith(f"{name}/") and schema != known:
            what = f"{path} is of another version of gdtrain, {schema}: this one reads {name}/{version}"
            raise UserError(what, where=where, remedy="read it with that version, or train again and save that")
    return None if schema == SCHEMA and not isinstance(document.get("params"), dict) else schema


def _loaded(path: str, where: str, stdin: IO[Any] | None) -> Any:
    try:
        return json.loads(_text(path, stdin), parse_int=_whole)
    except OSError as error:
        if os.path.isfile(os.path.join(path, _BEGUN)) and not os.path.exists(os.path.join(path, INSIDE)):
            what = f"the run in {path} has not come to its end"
            raise UserError(what, where=where, remedy=f"gdtrain resume {path}") from None
        if os.path.isdir(path) and isinstance(error, FileNotFoundError):
            raise UserError(f"there is no {INSIDE} in {path}", where=where, remedy=_SAVE) from None
        raise UserError(f"cannot read {path}: {error.strerror}", where=where) from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            what = f"{path} holds several documents"
            raise UserError(what, where=where, remedy="save one alone, on a line of its own in a file") from None
        raise UserError(f"{path} is no result document", where=where, remedy=_SAVE) from None
    except (ValueError, RecursionError):  # bytes that are no text, or brackets without end
        raise UserError(f"{path} is no result document", where=where, remedy=_SAVE) from None


def _whole(digits: str) -> int | float:
    """A whole number; one that is beyond all floats is infinite, as 1e999 is."""
    return int(digits) if len(digits) < _LONGEST else float(digits)


def _text(path: str, stdin: IO[Any] | None) -> str | bytes:
    if path == "-":
        if stdin is None:
            raise UserError("stdin is closed", remedy="name a file")
        text: str | bytes = stdin.read()
        return text
    if os.path.isdir(path):
        path = os.path.join(path, INSIDE)
    with open(path, "rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise UserError(f"{path} has more than {_MOST:,} bytes", remedy="save fewer trials, or groups: --top N")
    return content
