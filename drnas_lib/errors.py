"""Errors whose message says what to do: a notebook shows the message, not the way through the library that led to it."""


class Told:
    """Mixed into an exception. The message names what is wrong, why, and what to do about it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython, and papermill with it, print in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]
