"""The pages: what their blocks show, and what the commands in them really print.

    python tests/documents.py

writes the real output of every command into README.md and docs/. On each page one reader follows from top to bottom,
in a folder that holds configs/ and data/:

    ```console  lines that start with `$ `, each with what it prints: `gdtrain ...`, also with `> FILE`, `< FILE` or
                `printf '...' |`; `cat FILE`, which makes the file that it shows where there is none; `echo $?`
    ```pycon    Python with what it prints
    ```sh       a script for a real shell; run, its output not compared
"""

from __future__ import annotations

import code
import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "data" / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]

# Commands that set up an environment: shown, and not run here.
NOT_RUN = ("make ", "pip install ", "python3 -m venv ")
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
# What differs from one machine or moment to the next, and what the pages show in its place.
_VARYING = (
    (re.compile(r'("(?:load_s|train_s)": )[-+.e0-9]+'), r"\g<1>0.01"),
    (re.compile(r'("(?:gdtrain|torch)": )"[^"]*"'), r'\g<1>"..."'),
    (re.compile(r"(?m)^gdtrain \d+\.\d+.*$"), "gdtrain 0.1.0"),
)


def blocks(page: Path, language: str) -> list[str]:
    """The texts of a page's blocks in one language."""
    text = page.read_text(encoding="utf-8")
    return [found["text"] for found in _BLOCK.finditer(text) if found["language"] == language]


def rewritten(page: Path, folder: Path) -> str:
    """The page with the real output of its commands, which run in `folder`."""
    reader = _Reader(folder)
    show = {"console": reader.console, "pycon": reader.pycon}

    def real(found: re.Match[str]) -> str:
        language, text = found["language"], found["text"]
        return f"```{language}\n{show[language](text)}```" if language in show else found[0]

    with reader.at_work():
        return _BLOCK.sub(real, page.read_text(encoding="utf-8"))


def furnish(folder: Path) -> None:
    """Put into `folder` what a reader of the pages has beside them."""
    for name in ("configs", "data"):
        shutil.copytree(REPOSITORY / name, folder / name)


def is_run(command: str) -> bool:
    return not f"{command} ".startswith(NOT_RUN)


class _Reader:
    """Follows one page: each command sees what those before it left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exit_code = 0
        self.python = code.InteractiveInterpreter({"__name__": "__console__", "__doc__": None})

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        plain = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
        with contextlib.chdir(self.folder), mock.patch.dict(os.environ, plain):
            yield

    def console(self, text: str) -> str:
        before, *steps = _PROMPT.split(text)
        assert not before, f"a console block starts with output: {before}"
        return "".join(self._step(step) for step in steps)

    def _step(self, step: str) -> str:
        command, shown = re.fullmatch(r"((?:.*\\\n)*.*)\n((?:.|\n)*)", step).groups()  # type: ignore[union-attr]
        blank = "\n" if shown.endswith("\n\n") or shown == "\n" else ""  # between this command and the next
        if not is_run(command):
            return f"$ {step}"
        return f"$ {command}\n{self._output(command, shown.removesuffix(blank) if blank else shown)}{blank}"

    def _output(self, command: str, shown: str) -> str:
        lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars="|<>")
        lexer.whitespace_split = True
        words = list(lexer)
        if words == ["echo", "$?"]:
            return f"{self.exit_code}\n"
        if words[0] == "cat":
            return self._cat(Path(words[1]), shown)
        given = b""
        if words[0] == "printf":
            given = words[1].encode().decode("unicode_escape").encode("latin-1")
            words = words[words.index("|") + 1 :]
        assert words[0] == "gdtrain", f"neither gdtrain nor a command that is shown only: {command}"
        return normalised(self._gdtrain(words[1:], given))

    def _cat(self, path: Path, shown: str) -> str:
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _gdtrain(self, words: Sequence[str], given: bytes) -> str:
        """What a terminal shows of a command: stdout, unless it goes to a file, and stderr as they come."""
        from gdtrain.cli.process import run

        arguments, to, source = _redirected(words)
        screen = _stream(b"")
        out = _stream(b"") if to else screen
        stdin = _stream(Path(source).read_bytes() if source else given)
        with mock.patch.multiple(sys, stdin=stdin, stdout=out, stderr=screen):
            self.exit_code = run(arguments)
        if to:
            Path(to).write_text(_content(out), encoding="utf-8")
        return _content(screen)

    def pycon(self, text: str) -> str:
        output = []
        for statement in re.findall(r"^>>> .*\n(?:^\.\.\. .*\n)*", text, re.MULTILINE):
            source = "\n".join(line[4:] for line in statement.splitlines())
            screen = io.StringIO()
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
                self.python.runsource(source + "\n" * (statement.count("\n") > 1), symbol="single")
            output.append(statement + normalised(screen.getvalue()))
        return "".join(output)


def normalised(output: str) -> str:
    """`output` with what varies in a fixed form: timings and versions."""
    for pattern, fixed in _VARYING:
        output = pattern.sub(fixed, output)
    return output


def _redirected(words: Sequence[str]) -> tuple[list[str], str, str]:
    """The arguments of a command, the file that takes its output, and the file that it reads; "" for none."""
    arguments, files, waiting = [], {">": "", "<": ""}, ""
    for word in words:
        if word in files:
            waiting = word
        elif waiting:
            files[waiting], waiting = word, ""
        else:
            arguments.append(word)
    return arguments, files[">"], files["<"]


def _stream(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="\n", write_through=True)


def _content(stream: Any) -> str:
    text: str = stream.buffer.getvalue().decode("utf-8")
    return text


def main() -> None:
    """Write the real output of every command into the pages."""
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            furnish(Path(folder))
            text = rewritten(page, Path(folder))
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(page.relative_to(REPOSITORY))


if __name__ == "__main__":
    main()
