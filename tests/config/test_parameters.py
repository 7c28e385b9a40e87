"""drnas_lib.config.parameters: what any value looks like in a message, and YAML that is none."""

import pytest

from drnas_lib.config.cells import published
from drnas_lib.config.parameters import ParameterError, file_of_parameters, from_yaml, nearest
from drnas_lib.errors import LONGEST_SHOWN, short_repr


@pytest.mark.parametrize("value", [None, True, 0.1, "cifar10", ["darts", "drnas"], {"a": [1, 2]}])
def test_what_is_short_is_shown_as_it_is(value):
    assert short_repr(value) == repr(value)


def test_what_is_endless_or_too_long_is_cut():
    endless: list = []
    endless.append(endless)
    wide = [["x" * 50] * 50] * 50
    assert all(len(short_repr(value)) <= LONGEST_SHOWN + 10 for value in (endless, wide, "x" * 10**6, 10**4000))
    assert short_repr(10**5000) == "<int too long to print>"


@pytest.mark.parametrize("text", ["!!python/object/apply:os.mkdir [executed]", "2001-99-99", "[" * 5000, "a: *b", "\t"])
def test_yaml_that_is_no_plain_value_is_named(text, tmp_path):
    with pytest.raises(ParameterError, match="-p lr is not YAML"):
        from_yaml(text, "-p lr")
    (tmp_path / "some.yaml").write_text(text)
    with pytest.raises(ParameterError, match="some.yaml is not YAML"):
        file_of_parameters(tmp_path / "some.yaml")


def test_a_file_of_parameters(tmp_path):
    path = tmp_path / "some.yaml"
    for text, values in (("", {}), ("# nothing\n", {}), ("lr: 1e-2\n", {"lr": "1e-2"})):
        path.write_text(text)
        assert file_of_parameters(path) == values
    path.write_text("- lr\n")
    with pytest.raises(ParameterError, match="expected lines of `name: value`"):
        file_of_parameters(path)
    path.write_bytes(b"\xff")
    for bad in (path, tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ParameterError, match="cannot be read"):
            file_of_parameters(bad)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("PCDARTS", "pc_darts_cifar"), ("PC_DARTS_image", "pc_darts_image"), ("DARTS_V2", "darts_v2"), ("DrNAS-imagenet", "drnas_imagenet"),
        ("DrNAS_cifr10", "drnas_cifar10"), ("nasnet", "nasnet_a"),
    ],
)  # fmt: skip
def test_the_nearest_published_cell_whatever_its_separators(word, meant):
    assert nearest(word, published()) == f" Did you mean `{meant}`?"


def test_nothing_is_near():
    assert nearest("", published()) == nearest("x", published()) == nearest(["?"], []) == ""
