"""The parameters of notebooks: a `Kind` checks each value; a message says what is wrong, what is allowed and "Did you mean ...?"."""

import difflib
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from drnas_lib.config.notebook_parameters import given_parameters
from drnas_lib.errors import UserError, short_repr

WIDTH = 110  # of a long list in a message
LEAST_SIMILARITY = 0.55  # of two words, from 0 to 1, for one to be suggested for the other
MAX_INTEGER = 10**9  # a larger number is a typing error, and no memory holds so many of anything
FLOAT32_MIN, FLOAT32_MAX = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # the smallest normal number above 0, and the largest
FLOAT32_ENDS = (-FLOAT32_MAX, -FLOAT32_MIN, 0.0, FLOAT32_MIN, 1 - 2.0**-24, 1.0, FLOAT32_MAX)  # where a range of numbers may end
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 1000  # of a file's name and of a path; the second leaves room for the names of a run
LONG_PATH = "/".join(["x" * 99] * 10)


class ParameterError(UserError, ValueError):
    """One or more parameters are wrong; the message names each, its value, what is allowed and the nearest match."""


@dataclass(frozen=True, eq=False)  # compared and hashed by identity, since typing hashes it and lists have no hash
class Kind:
    """What a parameter accepts, as in `seed: Annotated[int, integer(0)]`."""

    read: Callable[[Any], Any]  # value -> checked value; raises ValueError, which says what is allowed
    inside: tuple  # the smallest and the largest allowed values; the tests try these and those outside
    outside: tuple  # values just beyond them

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))


def integer(least: int, most: int = MAX_INTEGER, even: bool = False) -> Kind:
    """A whole number; 5.0, '5' and '5.0' are 5, but True is not 1."""

    def read(value: Any) -> int:
        (whole,) = _integers([value], least, most)
        if even and whole % 2:
            raise ValueError(f"allowed is an even number, {least} or more.")
        return whole

    odd = (least + 1,) if even else ()
    return Kind(read, (least, most), (least - 1, *odd, most + 1, least + 0.5))


def integers(least: int, most: int = MAX_INTEGER) -> Kind:
    """One whole number per stage, in one of the forms of `entries_of`."""

    def read(value: Any) -> list[int]:
        return _integers(entries_of(value), least, most, ", for each stage, such as [5, 3]")

    return Kind(read, ([least], [most]), ([], [least - 1], [most + 1], [least, None]))


def number(allowed: str, holds: Callable[[float], bool]) -> Kind:
    """A finite number that float32 represents and for which `holds` is true; `allowed` describes these numbers in words."""
    within = [end for end in FLOAT32_ENDS if holds(end)]
    beyond = (*(end for end in FLOAT32_ENDS if end not in within), FLOAT32_MIN / 2, 2 * FLOAT32_MAX, math.nan)

    def read(value: Any) -> float:
        finite = _finite(value)
        if finite is None or not holds(finite):
            raise ValueError(f"allowed is {allowed}.")
        if abs(finite) > FLOAT32_MAX or 0 < abs(finite) < FLOAT32_MIN or finite > within[-1]:
            ends = f"{'0, or ' if holds(0.0) else ''}from {FLOAT32_MIN:.3g} to {within[-1]:.8g}"
            raise ValueError(f"allowed is {allowed}, as float32 holds it: {ends}.")
        return finite

    return Kind(read, (within[0], within[-1]), beyond)


def choice(*words: str) -> Kind:
    """One of a few words."""
    return one_of(words)


def one_of(table: Iterable[str]) -> Kind:
    """A name in a table, which may still grow after this call."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in table:
            raise ValueError(f"allowed are {', '.join(table)}.{nearest(value, table)}")
        return value

    words = tuple(table)
    return Kind(read, words, ("", f"{words[0]}x", words[0].upper()))


def text(pattern: str, allowed: str, inside: tuple[str, ...], outside: tuple[str, ...], near: tuple[str, ...] = ()) -> Kind:
    """Text that matches all of `pattern`; the sentence `allowed` describes it, and a message suggests the nearest word of `near`."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(allowed + nearest(value, near))
        return value

    return Kind(read, inside, outside)


def path(allowed: str) -> Kind:
    """A valid path, whether or not it exists; the sentence `allowed` describes it."""
    outside = ("", " a", "a\n", "x" * (MAX_NAME_BYTES + 1), f"{LONG_PATH}/x")
    return Kind(lambda value: checked_path(value, allowed), ("a", LONG_PATH), outside)


def checked_path(value: Any, allowed: str) -> str:
    """`value`, if it is a valid path. Raises ValueError with the sentence `allowed`."""
    if not isinstance(value, str) or not value.isprintable() or value.strip() != value or not value:
        raise ValueError(f"{allowed} It is text that can be printed, without spaces around it.")
    if len(value.encode()) > MAX_PATH_BYTES or max(len(part.encode()) for part in value.split("/")) > MAX_NAME_BYTES:
        raise ValueError(f"{allowed} A path has up to {MAX_PATH_BYTES:,} bytes, a name in it up to {MAX_NAME_BYTES}.")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("allowed are True and False.")
    return value


Truth = Annotated[bool, Kind(_truth, (True, False), (1, "True"))]


def entries_of(value: Any) -> list:
    """The entries of a list, of text such as '[5, 3]' or 'a,b' (papermill's -p passes no lists), or a single value as a list."""
    if isinstance(value, str):
        inner = value.strip().removeprefix("[").removesuffix("]").strip().removesuffix(",")
        return [part.strip(" '\"") for part in inner.split(",")] if inner else []
    return list(value) if isinstance(value, list | tuple) else [value]


def _integers(values: list, least: int, most: int, what: str = "") -> list[int]:
    read = [_whole(value) for value in values]
    wholes = [whole for whole in read if whole is not None]
    if not wholes or len(wholes) < len(read) or min(wholes) < least or max(wholes) > most:
        allowed = f"a whole number, {least} or more" if most == MAX_INTEGER else f"a whole number from {least} to {most}"
        too_large = most == MAX_INTEGER and len(wholes) == len(read) and max(wholes, default=0) > most
        raise ValueError(f"allowed is {allowed}{what}{f'; none is above {MAX_INTEGER:,}' if too_large else ''}.")
    return wholes


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        with suppress(ValueError):  # before `float`, which would round a long seed
            return int(value)
    finite = _finite(value)
    return int(finite) if finite is not None and finite.is_integer() else None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):  # text, because YAML reads 1e-3 as text
        return None
    with suppress(ValueError, OverflowError):
        finite = float(value)
        return finite if math.isfinite(finite) else None
    return None


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """' Did you mean `x`?', or '' if no allowed word is similar. Ignores case, _ and -; prefers words that begin with `word`."""
    wanted, words = _letters(_unquoted(word)).replace("gpu", "cuda"), {whole: _letters(whole) for whole in allowed}
    similarity = {whole: difflib.SequenceMatcher(None, letters, wanted).ratio() for whole, letters in words.items()}
    begun = [whole for whole, letters in words.items() if wanted and letters.startswith(wanted)]
    match = max(begun or words, key=lambda whole: similarity[whole], default=None)
    return f" Did you mean `{match}`?" if match is not None and (len(begun) == 1 or similarity[match] >= LEAST_SIMILARITY) else ""


def _unquoted(value: Any) -> str:
    return short_repr(value).strip("'\"")


def _letters(word: str) -> str:
    return re.sub("[_-]", "", word.lower())


class Parameters(BaseModel):
    """The parameters of a notebook: a field each. A subclass reports combinations that are not allowed in `_problems`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_notebook(cls, names: dict[str, Any]) -> Self:
        """The configuration from a notebook's `globals()`. Raises ParameterError."""
        return cls.of(given_parameters(names, cls.model_fields))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Check `values`, then their combinations; a name left out keeps its default. Raises ParameterError with all problems at once."""
        known = cls.model_fields
        unknown = [name for name in values if name not in known]
        problems = [f"{_unquoted(name)}={short_repr(values[name])}: there is no such parameter.{nearest(name, known)}" for name in unknown]
        try:
            config = cls(**{name: value for name, value in values.items() if name in known})
        except ValidationError as error:
            problems += [f"{e['loc'][0]}={short_repr(e['input'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        else:
            problems += config._problems()
        if unknown:
            problems.append(textwrap.fill(f"The parameters are {', '.join(known)}.", WIDTH, subsequent_indent="    "))
        reject(problems)
        return config

    def check(self) -> None:
        """Raise ParameterError if parameters contradict each other."""
        reject(self._problems())

    def _problems(self) -> list[str]:
        """A sentence for each contradiction between parameters."""
        return []


def reject(problems: Iterable[str]) -> None:
    """Raise ParameterError, which lists the problems, if there are any."""
    if lines := list(problems):
        raise ParameterError("\n  ".join(["the parameters do not fit:", *lines]))


def problems_of(action: Callable[[], Any]) -> list[str]:
    """The problems for which `action` raises ParameterError, a line each; none if it raises nothing."""
    try:
        action()
    except ParameterError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


def from_yaml(text: str, where: str) -> Any:
    """The plain values in a YAML text; the message names it as `where`. Raises ParameterError; nothing in the text is executed."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date is a ValueError
        raise ParameterError(f"{where} is not YAML of plain values such as `epochs: 3`: {error}") from error


def file_of_parameters(path: Path) -> dict[str, Any]:
    """The values of a YAML file of lines `name: value`, none for an empty file. Raises ParameterError, which names the file."""
    try:
        values = from_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict | None):
        raise ParameterError(f"{path}: expected lines of `name: value`, got {short_repr(values)}")
    return values or {}
