"""From what a notebook or a YAML file says to plain values, or to a message that helps: the kinds of a parameter."""

import difflib
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from drnas_lib.errors import Told
from drnas_lib.stated import stated

WIDTH = 110  # of a long list in a message


class ParameterError(Told, ValueError):
    """One or more parameters are wrong; the message names each, its value, what is allowed and the nearest match."""


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """' Did you mean `x`?' or nothing."""
    wanted, words = str(word).lower().replace("gpu", "cuda"), list(allowed)
    begun = [whole for whole in words if whole.startswith(wanted)]
    match = begun if len(begun) == 1 else difflib.get_close_matches(wanted, words, n=1, cutoff=0.55)
    return f" Did you mean `{match[0]}`?" if match else ""


def integer(least: int, most: int | None = None):
    """A whole number; 5.0, '5' and '5.0' are 5, but True is not 1."""
    allowed = _range(least, most)

    def read(value: Any) -> int:
        whole = _whole(value)
        if whole is None or not _within(whole, least, most):
            raise ValueError(f"allowed is {allowed}.")
        return whole

    return Annotated[int, BeforeValidator(read)]


def integers(least: int, most: int | None = None):
    """One whole number per stage: a list, a bare number, or text such as '[25, 25]' or '25,25', since papermill's -p passes no lists."""
    allowed = f"{_range(least, most)}, for each stage, such as [5, 3]"

    def read(value: Any) -> list[int]:
        if isinstance(value, str):
            value = value.strip().removeprefix("[").removesuffix("]").split(",")
        entries = list(value) if isinstance(value, list | tuple) else [value]
        wholes = [_whole(entry) for entry in entries]
        if not wholes or any(whole is None or not _within(whole, least, most) for whole in wholes):
            raise ValueError(f"allowed is {allowed}.")
        return wholes

    return Annotated[list[int], BeforeValidator(read)]


def number(allowed: str, holds: Callable[[float], bool]):
    """A finite number of which `holds` is true, as `allowed` says in words."""

    def read(value: Any) -> float:
        finite = _finite(value)
        if finite is None or not holds(finite):
            raise ValueError(f"allowed is {allowed}.")
        return finite

    return Annotated[float, BeforeValidator(read)]


def choice(*allowed: str):
    """One of a few words."""
    return text("|".join(map(re.escape, allowed)), f"allowed are {', '.join(allowed)}.", allowed)


def one_of(table: Iterable[str]):
    """A name in a table, which may still grow after this is called."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in table:
            raise ValueError(f"allowed are {', '.join(table)}.{nearest(value, table)}")
        return value

    return Annotated[str, BeforeValidator(read)]


def text(pattern: str, allowed: str, near: tuple[str, ...] = ()):
    """Text of which all matches `pattern`, as the sentence `allowed` says; `near` are the words it may have been meant for."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(allowed + nearest(value, near))
        return value

    return Annotated[str, BeforeValidator(read)]


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("allowed are True and False.")
    return value


Truth = Annotated[bool, BeforeValidator(_truth)]


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        with suppress(ValueError):  # not by way of a float, which would round a long seed
            return int(value)
    finite = _finite(value)
    return int(finite) if finite is not None and finite.is_integer() else None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):  # text, because YAML reads 1e-3 as text
        return None
    try:
        finite = float(value)
    except (ValueError, OverflowError):
        return None
    return finite if math.isfinite(finite) else None


def _within(whole: int, least: int, most: int | None) -> bool:
    return least <= whole and (most is None or whole <= most)


def _range(least: int, most: int | None) -> str:
    return f"a whole number, {least} or more" if most is None else f"a whole number from {least} to {most}"


class Parameters(BaseModel):
    """The parameters of a notebook: a field each. A subclass adds what may not be combined, in `_problems`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_notebook(cls, names: dict[str, Any]) -> Self:
        """The configuration that a notebook's `globals()` describe. Raises ParameterError, before anything else has run."""
        return cls.of(stated(names, cls.model_fields))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Check `values`; a name left out keeps its default. Raises ParameterError with all problems at once.

        What contradicts what is judged only where each value by itself is sound.
        """
        known = cls.model_fields
        unknown = [name for name in values if name not in known]
        problems = [f"{name}={values[name]!r}: there is no such parameter.{nearest(name, known)}" for name in unknown]
        try:
            config = cls(**{name: value for name, value in values.items() if name in known})
        except ValidationError as error:
            problems += [f"{e['loc'][0]}={e['input']!r}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        else:
            problems += config._problems()
        if unknown:
            problems.append(textwrap.fill(f"The parameters are {', '.join(known)}.", WIDTH, subsequent_indent="    "))
        if problems:
            raise ParameterError(listed(problems))
        return config

    def _problems(self) -> list[str]:
        """What contradicts what."""
        return []


def listed(problems: list[str]) -> str:
    return "\n  ".join(["the parameters do not fit:", *problems])
