"""The search methods. A new method is a file here and a row in config/method_presets.py."""

from pkgutil import resolve_name

from drnas_lib.config.method_presets import METHODS
from drnas_lib.methods.method import Method


def method_class(name: str) -> type[Method]:
    """The class that the row `name` of config/method_presets.py names."""
    return resolve_name(METHODS[name].where)
