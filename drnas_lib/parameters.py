"""From what a notebook or a YAML file says to plain values, or to a message that helps."""

import difflib
import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator

OF_IPYTHON = {"In", "Out", "exit", "quit", "get_ipython", "open"}


class ParameterError(ValueError):
    """One or more parameters are wrong; the message names each, its value, what is allowed and the nearest match."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """' Did you mean `x`?' or nothing."""
    match = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.55)
    return f" Did you mean `{match[0]}`?" if match else ""


def plain_names(names: dict[str, Any]) -> dict[str, Any]:
    """The plain values among a notebook's globals: its parameters, and whatever a caller injected beside them."""
    plain = (type(None), bool, int, float, str, list, tuple, dict)
    return {n: v for n, v in names.items() if not n.startswith("_") and n not in OF_IPYTHON and type(v) in plain}


def _integer(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number, not a truth value")
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not a truth value")
    if isinstance(value, str):  # YAML reads 1e-3 as text
        try:
            value = float(value)
        except ValueError:
            raise ValueError("must be a number") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _integers(value: Any) -> Any:
    """A list, a bare number, or text such as '[25, 25]' or '25,25': papermill's -p passes numbers and text only."""
    if isinstance(value, str):
        value = [part.strip() for part in value.strip().removeprefix("[").removesuffix("]").split(",")]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a whole number for each stage, such as [25, 25]")
    return [_integer(part) for part in value]


def _truth(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("must be True or False")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value


def _absent(read):
    """None stays None: the preset decides."""
    return lambda value: None if value is None else read(value)


Integer = Annotated[int, BeforeValidator(_integer)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Text = Annotated[str, BeforeValidator(_text)]
MaybeInteger = Annotated[int | None, BeforeValidator(_absent(_integer))]
MaybeNumber = Annotated[float | None, BeforeValidator(_absent(_number))]
MaybeIntegers = Annotated[list[int] | None, BeforeValidator(_absent(_integers))]
MaybeTruth = Annotated[bool | None, BeforeValidator(_absent(_truth))]
MaybeText = Annotated[str | None, BeforeValidator(_absent(_text))]
