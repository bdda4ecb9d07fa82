"""From arguments to an exit code: what happens to every error, signal and closed pipe."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from gdtrain.cli.messages import say
from gdtrain.errors import INTERRUPTED, NOT_WRITTEN, UserError, printable

BUG = 70
DEBUG = "GDTRAIN_DEBUG"  # set: a bug of ours prints its traceback


def run(arguments: Sequence[str]) -> int:
    """Carry out one command. Returns its exit code; results are on stdout, all else on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show must not stop us
    if sys.stdout is None:
        say("stdout: the result could not be written: it is closed")
        return NOT_WRITTEN
    try:
        _refuse_nowhere()
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        say(str(error))
        return error.code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return 0
    except SystemExit as stop:  # rich's answer to a closed pipe while it prints help
        return 0 if isinstance(stop.__context__, BrokenPipeError) else int(stop.code or 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT):
            return _bug(error)
        _let_go_of_stdout()
        say(f"stdout: the result could not be written: {os.strerror(error.errno or 0)}")
        return NOT_WRITTEN
    except BaseException as error:  # a panic of polars is no Exception
        return _bug(error)


def _refuse_nowhere() -> None:
    """Where the working folder is gone, no path means anything, and libraries that torch loads end the process."""
    try:
        os.getcwd()
    except OSError:
        raise UserError("the working folder has been removed", where="gdtrain", remedy="cd to another") from None


def _dispatch(arguments: Sequence[str]) -> int:
    from typer.exceptions import TyperException

    from gdtrain.cli.app import app
    from gdtrain.cli.usage import expressions_apart, translate

    try:
        code = app(expressions_apart(arguments), prog_name="gdtrain", standalone_mode=False, obj=list(arguments))
    except TyperException as error:
        raise translate(error, arguments) from None
    return code if isinstance(code, int) else 0


def _bug(error: BaseException) -> int:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    what = printable(f"{type(error).__name__}: {error}".splitlines()[0])
    say(f"gdtrain: a bug of ours: {what}; please report it with the command (set {DEBUG}=1 to see where)")
    return BUG


def _let_go_of_stdout() -> None:
    """Nothing more can be written: what is still buffered goes nowhere, so that exiting does not fail on it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        sys.stdout = None
