"""The C files of drnas_lib/nets, which pyproject.toml has no settled way to name; all else is there."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "drnas_lib.nets._compiled",
            ["drnas_lib/nets/passes.c", "drnas_lib/nets/tiles.c"],
            depends=["drnas_lib/nets/for_each_type.h"],
            extra_compile_args=["-O3", "-fno-trapping-math", "-fopenmp", "-Wno-psabi"],
            extra_link_args=["-fopenmp"],
            optional=True,  # without a C compiler PyTorch's operators do the same, slower
        )
    ]
)
