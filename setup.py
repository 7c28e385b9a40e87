"""The C files of drnas_lib/nets, which pyproject.toml has no settled way to name; all else is there."""

from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup

SOURCES = sorted(path for path in Path("drnas_lib/nets").iterdir() if path.suffix in (".c", ".h"))
DIGEST = sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()  # compiled.py asks for it

setup(
    ext_modules=[
        Extension(
            "drnas_lib.nets._compiled",
            [str(path) for path in SOURCES if path.suffix == ".c"],
            depends=[str(path) for path in SOURCES],
            define_macros=[("DIGEST", f'"{DIGEST}"')],
            extra_compile_args=["-O3", "-fno-trapping-math", "-fopenmp", "-Wno-psabi"],
            extra_link_args=["-fopenmp"],
            optional=True,  # without a C compiler PyTorch's operators do the same, slower
        )
    ]
)
