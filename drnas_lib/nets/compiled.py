"""The functions of passes.c and tiles.c, compiled when the package was installed, as operators of PyTorch.

They do in one pass over memory what takes PyTorch's own operators several: on a CPU memory bounds a supernet as much as arithmetic does.
Where there was no compiler, and for other types and devices, PyTorch's own compute the same, up to rounding. They use PyTorch's threads.
"""

import ctypes
import importlib.util
import warnings
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

TYPES = {torch.float32: "float32", torch.float64: "float64"}
VECTORS = {"AVX2": "_avx2", "AVX512": "_avx512"}  # by what PyTorch found the CPU to have; others use the machine's least
OPERATORS = torch.library.Library("drnas_lib", "DEF")


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """None where nothing was compiled, or, with a warning, where it was from C files other than those here."""
    found = importlib.util.find_spec("drnas_lib.nets._compiled")
    try:
        compiled = None if found is None else ctypes.CDLL(found.origin)
    except OSError:  # for another machine
        return None
    if compiled is None or ctypes.c_char_p.in_dll(compiled, "digest").value == _digest():
        return compiled
    warnings.warn(f"{found.origin} is not of the C files beside it and is left alone: install the project again", stacklevel=2)
    return None


def _digest() -> bytes:
    sources = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".c", ".h"))
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest().encode()


def serves(first: Tensor, *others: Tensor | None) -> bool:
    """Whether the functions can take them: on a CPU, all float32 or all float64."""
    if first.device.type != "cpu" or first.dtype not in TYPES or library() is None:
        return False
    return all(other is None or (other.device, other.dtype) == (first.device, first.dtype) for other in others)


def constant(name: str) -> int:
    """An entry of the C files that is a number."""
    return ctypes.c_long.in_dll(library(), name).value


def operator(schema: str) -> Callable:
    """Make the function below an operator, so that what counts and times operators sees it; `schema` says what it reads and writes."""

    def decorate(function: Callable) -> Callable:
        name = schema.partition("(")[0]
        OPERATORS.define(schema)
        OPERATORS.impl(name, function, "CPU")
        return getattr(torch.ops.drnas_lib, name).default

    return decorate


def call(name: str, dtype: torch.dtype, *args) -> None:
    """The function `name` for entries of `dtype`, on contiguous tensors; None is a null pointer."""
    getattr(library(), f"{name}_{TYPES[dtype]}{_vectors()}")(*map(_as_c, (torch.get_num_threads(), *args)))


@lru_cache(maxsize=1)
def _vectors() -> str:
    suffix = VECTORS.get(torch.backends.cpu.get_cpu_capability(), "")
    return suffix if hasattr(library(), f"mix_float32{suffix}") else ""


def _as_c(value):
    if value is None:
        return ctypes.c_void_p(None)
    if isinstance(value, Tensor):
        return _address(value)
    if isinstance(value, list):
        return (ctypes.c_void_p * len(value))(*map(_address, value))
    return ctypes.c_long(value)


def _address(tensor: Tensor) -> ctypes.c_void_p:
    if not tensor.is_contiguous():
        raise ValueError(f"a compiled function walks its images entry by entry, and one of shape {tuple(tensor.shape)} is not contiguous")
    return ctypes.c_void_p(tensor.data_ptr())
