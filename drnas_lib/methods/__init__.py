"""The search methods. A new method is a file here and a row in config/method_presets.py, which `METHODS` looks up."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from drnas_lib.config import method_presets


class _Methods(Mapping):
    """Looks a class up when it is asked for, so that a row added later is seen."""

    def __getitem__(self, name: str) -> type:
        module, _, item = method_presets.METHODS[name].where.partition(":")
        return getattr(import_module(module), item)

    def __iter__(self) -> Iterator[str]:
        return iter(method_presets.METHODS)

    def __len__(self) -> int:
        return len(method_presets.METHODS)


METHODS = _Methods()
