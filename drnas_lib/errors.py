"""Errors whose message says what to do: a notebook shows the message without a traceback."""

import reprlib
from typing import Any

LONGEST_SHOWN = 400  # characters of a value in a message
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 3, 20, 20, 20, 300, 300


class UserError(BaseException):
    """Mixed into an exception, whose other base says of which kind it is. The message names what is wrong, why, and what to do about it."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython, and so papermill, prints in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def short_repr(value: Any) -> str:
    """`repr` of any value of a notebook or a file, shortened if it is long, deep or recursive."""
    try:
        text = _SHORT.repr(value)
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."
    except ValueError:  # Python refuses to print an integer of thousands of digits
        return f"<{type(value).__name__} too long to print>"


class MissingData(UserError, FileNotFoundError):
    """A data set is missing; the message names the expected files, their publisher, and what to do."""


class DamagedData(UserError, ValueError):
    """A data set cannot be used; the message names the file and what is wrong with it."""
