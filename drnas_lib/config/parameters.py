"""From what a notebook or a YAML file says to plain values, or to a message that helps: the kinds of a parameter."""

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
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from drnas_lib.config.notebook_parameters import stated
from drnas_lib.errors import UserError, shown

WIDTH = 110  # of a long list in a message
NEAR = 0.55  # likeness of two words, from 0 to 1, from which one may be meant for the other
MOST = 10**9  # of whatever is counted: more is a slip of the keyboard, and no memory holds it
TINY, HUGE = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # the least number above 0 and the largest of float32, in which is computed
EDGES = (-HUGE, -TINY, 0.0, TINY, 1 - 2.0**-24, 1.0, HUGE)  # where the kinds of numbers may end
LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes, of a file's name and of a path; the second leaves room for the names of a run


@dataclass(frozen=True, eq=False)  # told apart by what they are, since lists have no hash
class Extremes:
    """Of a kind of parameter, beside its check: the smallest and the largest values that are allowed, and those just outside."""

    inside: tuple
    outside: tuple


class ParameterError(UserError, ValueError):
    """One or more parameters are wrong; the message names each, its value, what is allowed and the nearest match."""


def _bare(value: Any) -> str:
    return shown(value).strip("'\"")


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """' Did you mean `x`?' or nothing. Capitals, _ and - do not count; a word that begins with `word` comes before others."""
    wanted, words = _plain(_bare(word)).replace("gpu", "cuda"), {whole: _plain(whole) for whole in allowed}
    likeness = {whole: difflib.SequenceMatcher(None, plain, wanted).ratio() for whole, plain in words.items()}
    begun = [whole for whole, plain in words.items() if wanted and plain.startswith(wanted)]
    match = max(begun or words, key=likeness.get, default=None)
    return f" Did you mean `{match}`?" if match is not None and (len(begun) == 1 or likeness[match] >= NEAR) else ""


def _plain(word: str) -> str:
    return re.sub("[_-]", "", word.lower())


def from_yaml(text: str, where: str) -> Any:
    """The plain values that YAML says, `where` naming it in the message. Raises ParameterError; nothing in it is executed."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none is a ValueError
        raise ParameterError(f"{where} is not YAML of plain values such as `epochs: 3`: {error}") from error


def file_of_parameters(path: Path) -> dict[str, Any]:
    """What a YAML file of `name: value` says, nothing where it is empty. Raises ParameterError, which names the file."""
    try:
        values = from_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict | None):
        raise ParameterError(f"{path}: expected lines of `name: value`, got {shown(values)}")
    return values or {}


def integer(least: int, most: int = MOST, even: bool = False):
    """A whole number; 5.0, '5' and '5.0' are 5, but True is not 1."""

    def read(value: Any) -> int:
        (whole,) = _within([_whole(value)], least, most)
        if even and whole % 2:
            raise ValueError(f"allowed is an even number, {least} or more.")
        return whole

    odd = (least + 1,) if even else ()
    return Annotated[int, BeforeValidator(read), Extremes((least, most), (least - 1, *odd, most + 1, least + 0.5))]


def integers(least: int, most: int = MOST):
    """One whole number per stage: a list, a bare number, or text such as '[25, 25]' or '25,25', since papermill's -p passes no lists."""

    def read(value: Any) -> list[int]:
        if isinstance(value, str):
            value = value.strip().removeprefix("[").removesuffix("]").split(",")
        entries = list(value) if isinstance(value, list | tuple) else [value]
        return _within([_whole(entry) for entry in entries], least, most, ", for each stage, such as [5, 3]")

    return Annotated[list[int], BeforeValidator(read), Extremes(([least], [most]), ([], [least - 1], [most + 1], [least, None]))]


def number(allowed: str, holds: Callable[[float], bool]):
    """A finite number of which `holds` is true, as `allowed` says in words."""

    within = [edge for edge in EDGES if holds(edge)]
    beyond = (*(edge for edge in EDGES if edge not in within), TINY / 2, 2 * HUGE, math.nan)

    def read(value: Any) -> float:
        finite = _finite(value)
        if finite is None or not holds(finite):
            raise ValueError(f"allowed is {allowed}.")
        if abs(finite) > HUGE or 0 < abs(finite) < TINY or finite > within[-1]:
            ends = f"{'0, or ' if holds(0.0) else ''}from {TINY:.3g} to {within[-1]:.8g}"
            raise ValueError(f"allowed is {allowed}, as float32 holds it: {ends}.")
        return finite

    return Annotated[float, BeforeValidator(read), Extremes((within[0], within[-1]), beyond)]


def choice(*allowed: str):
    """One of a few words."""
    extremes = Extremes(allowed, ("", f"{allowed[0]}x", allowed[0].upper()))
    return text("|".join(map(re.escape, allowed)), f"allowed are {', '.join(allowed)}.", extremes, allowed)


def one_of(table: Iterable[str]):
    """A name in a table, which may still grow after this is called."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in table:
            raise ValueError(f"allowed are {', '.join(table)}.{nearest(value, table)}")
        return value

    return Annotated[str, BeforeValidator(read), Extremes(tuple(table), ("", "x"))]


def text(pattern: str, allowed: str, extremes: Extremes, near: tuple[str, ...] = ()):
    """Text of which all matches `pattern`, as the sentence `allowed` says; `near` are the words it may have been meant for."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(allowed + nearest(value, near))
        return value

    return Annotated[str, BeforeValidator(read), extremes]


def path(allowed: str):
    """The path of a folder or a file, there or not, that a file system can hold, as the sentence `allowed` says."""

    return Annotated[str, BeforeValidator(lambda value: checked_path(value, allowed)), PATHS]


def checked_path(value: Any, allowed: str) -> str:
    """Raises ValueError, which says `allowed`, for what no file system can hold."""
    if not isinstance(value, str) or not value.isprintable() or value.strip() != value or not value:
        raise ValueError(f"{allowed} It is text that can be printed, without spaces around it.")
    if len(value.encode()) > LONGEST_PATH or max(len(part.encode()) for part in value.split("/")) > LONGEST_NAME:
        raise ValueError(f"{allowed} A path has up to {LONGEST_PATH:,} bytes, a name in it up to {LONGEST_NAME}.")
    return value


PATHS = Extremes(("a", "/".join(["x" * 99] * 10)), ("", " a", "a\n", "x" * (LONGEST_NAME + 1), "/".join(["x" * 99] * 10) + "/x"))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("allowed are True and False.")
    return value


Truth = Annotated[bool, BeforeValidator(_truth), Extremes((True, False), (1, "True"))]


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


def _within(wholes: list[int | None], least: int, most: int, what: str = "") -> list[int]:
    allowed = f"a whole number, {least} or more" if most == MOST else f"a whole number from {least} to {most}"
    if not wholes or any(whole is None or whole < least or whole > most for whole in wholes):
        too_large = most == MOST and None not in wholes and max(wholes, default=0) > MOST
        raise ValueError(f"allowed is {allowed}{what}{f'; none is above {MOST:,}' if too_large else ''}.")
    return wholes


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
        problems = [f"{_bare(name)}={shown(values[name])}: there is no such parameter.{nearest(name, known)}" for name in unknown]
        try:
            config = cls(**{name: value for name, value in values.items() if name in known})
        except ValidationError as error:
            problems += [f"{e['loc'][0]}={shown(e['input'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
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


def refused(action: Callable[[], Any]) -> list[str]:
    """What is wrong with the parameters of whatever `action` makes, a line each; nothing where it raises no ParameterError."""
    try:
        action()
    except ParameterError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


def listed(problems: list[str]) -> str:
    return "\n  ".join(["the parameters do not fit:", *problems])
