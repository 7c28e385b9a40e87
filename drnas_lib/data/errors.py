"""What can be wrong with a data set."""

from drnas_lib.errors import Told


class MissingData(Told, FileNotFoundError):
    """A data set is not there; the message says which files were looked for, who publishes them, and what to do."""


class DamagedData(Told, ValueError):
    """A data set is there but cannot be used; the message names the file and what is wrong with it."""
