"""drnas_lib.data.cifar: a file is the one that SHA256SUMS names, or none is named."""

import hashlib

import pytest

from drnas_lib.data.cifar import check_sum
from drnas_lib.errors import DamagedData


@pytest.mark.parametrize("line", ["{sum}  train.parquet\n", "{sum} *./train.parquet\n"], ids=["text", "binary"])
def test_a_change_is_refused(tmp_path, line):
    path = tmp_path / "train.parquet"
    path.write_bytes(b"images")
    assert not check_sum(path), "nothing vouches for it yet"
    (tmp_path / "SHA256SUMS").write_text(line.format(sum=hashlib.sha256(b"images").hexdigest()))
    assert check_sum(path)
    path.write_bytes(b"imagos")
    with pytest.raises(DamagedData, match="train.parquet: SHA-256.*SHA256SUMS.*Copy it again"):
        check_sum(path)


def test_a_file_that_is_not_named_is_not_vouched_for(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"images")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  train.parquet\n\n")
    assert not check_sum(tmp_path / "test.parquet")
