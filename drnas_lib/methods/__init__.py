"""The search methods. A new method is a file here and a row in config/method_presets.py."""

from importlib import import_module

from drnas_lib.config.method_presets import METHODS
from drnas_lib.methods.method import Method


def method_class(name: str) -> type[Method]:
    """The class that the row `name` of config/method_presets.py names."""
    module, _, item = METHODS[name].where.partition(":")
    return getattr(import_module(module), item)
