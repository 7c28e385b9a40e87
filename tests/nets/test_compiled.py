"""passes.c and tiles.c: what they compute against PyTorch's operators, in both types, with every kind of vectors, whatever the threads."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets import compiled, passes
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.nets.winograd import convolve
from drnas_lib.spaces import SPACES
from tests.fake_capture import without_compiled

pytestmark = pytest.mark.skipif(compiled.library() is None, reason="passes.c and tiles.c are not compiled")
CPU = torch.backends.cpu.get_cpu_capability()
KINDS = {"DEFAULT": ("",), "AVX2": ("", "_avx2"), "AVX512": ("", "_avx2", "_avx512")}.get(CPU, ("",))
TYPES = {torch.float32: 1e-5, torch.float64: 1e-13}
SHAPES = [(3, 7, 5, 3), (2, 1, 1, 16), (2, 32, 33, 16), (3, 8, 8, 40), (1, 4, 6, 64)]  # B H W c


@pytest.fixture(params=[(kind, dtype) for kind in KINDS for dtype in TYPES], ids=str)
def dtype(request, monkeypatch):
    kind, dtype = request.param
    if compiled.library() is not None and not hasattr(compiled.library(), f"mix_float32{kind}"):
        pytest.skip("the compiler makes no such vectors")
    monkeypatch.setattr(compiled, "_vectors", lambda: kind)
    return dtype


def draw(seed, *sizes, dtype):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, dtype=torch.float64, generator=generator).to(dtype) for size in sizes]


def assert_close(ours, theirs, dtype):
    torch.testing.assert_close(ours, theirs, rtol=TYPES[dtype], atol=TYPES[dtype])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mix_is_the_sum(shape, dtype):
    """Three edges, of which the second has no 3x3 convolution and no skip, the third neither 1x1 nor pool."""
    c = shape[-1]
    x, pooled, y, product, *bases = draw(0, shape, shape, (*shape[:3], 2 * c), (*shape[:3], 2 * c), shape, shape, shape, dtype=dtype)
    theta, gain, offset = draw(1, (3, 5), 2 * c, 2 * c, dtype=dtype)
    places = torch.tensor([[0, 0, 1, 4], [-1, c, -1, 4], [c, -1, 1, -1]])
    mapped = gain * y + offset
    convolved = mapped[..., :c] + product[..., :c], product[..., c:], mapped[..., c:]
    scaled = theta[0, 1] * x + theta[0, 4] * pooled, theta[1, 4] * pooled, theta[2, 1] * x
    flat = product.flatten(0, 2)
    fresh, added = [torch.empty_like(x) for _ in bases], [base.clone() for base in bases]
    passes.mix(theta, places, fresh, True, x, pooled, y, gain, offset, flat)
    passes.mix(theta, places, added, False, x, pooled, y, gain, offset, flat)
    for e in range(3):
        assert_close(fresh[e], convolved[e] + scaled[e], dtype)
        assert_close(added[e], bases[e] + convolved[e] + scaled[e], dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pool_is_the_built_in_one(shape, dtype):
    (x,) = draw(2, shape, dtype=dtype)
    theirs = F.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)
    assert_close(passes.avg_pool_3x3(x), theirs, dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_back_is_the_derivative(shape, dtype):
    """Of relu(x) times what has `grad` for gradient, and of skip and pool of x, the second edge without skip."""
    x, grad, *grads = draw(3, shape, shape, shape, shape, dtype=dtype)
    theta, shift = draw(4, (2, 5), shape[-1], dtype=dtype)
    places = torch.tensor([[-1, -1, 1, 4], [-1, -1, -1, 4]])
    x.requires_grad_()
    pooled = F.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)
    edges = theta[0, 1] * x + theta[0, 4] * pooled, theta[1, 4] * pooled
    total = (x.relu() * (grad + shift)).sum() + sum((edge * of_edge).sum() for edge, of_edge in zip(edges, grads))
    (theirs,) = torch.autograd.grad(total, x)
    images = x.detach(), pooled.detach().contiguous()
    ours = grad.clone()
    found = passes.back(theta, places, grads, True, True, images[0].relu(), shift, ours, True, *images)
    assert_close(ours, theirs, dtype)
    torch.testing.assert_close(
        found, torch.stack([torch.stack([(image * of_edge).sum() for image in images]) for of_edge in grads]).double(), rtol=1e-4, atol=1e-3
    )
    nothing = grad.clone()
    assert passes.back(theta, places, grads, False, False, None, None, nothing, False, None, None).numel() == 0
    assert torch.equal(nothing, grad)


def test_a_convolution_in_tiles(dtype):
    x, weight = draw(5, (5, 8, 12, 32), (96, 32, 3, 3), dtype=dtype)
    theirs = torch.conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(convolve(x, weight), theirs, rtol=10 * TYPES[dtype], atol=20 * TYPES[dtype])


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("mask", ["all", "some"])
def test_a_supernet_is_the_same_without(k, mask):
    """All outputs and gradients, training and evaluation, with operations that some edges or all of them lack."""
    torch.manual_seed(0)
    space, kept = SPACES["nb201"], torch.ones(1, 6, 5, dtype=torch.bool)
    if mask == "some":
        kept = torch.rand(1, 6, 5) > 0.5
        kept[0, 5], kept[0, 0] = torch.tensor([True, False, False, False, False]), torch.tensor([False, True, False, False, True])
    net = SuperNet(space, k, kept, channels=16, cells_per_stage=1).double()
    x, theta = torch.randn(2, 3, 16, 16, dtype=torch.float64), (torch.rand(1, 6, 5, dtype=torch.float64) * kept).requires_grad_()
    state = {name: value.clone() for name, value in net.state_dict().items()}

    def everything():
        net.load_state_dict(state)
        found = []
        for training in (True, False):
            net.train(training)
            out = net(x, theta)
            found += [out, *torch.autograd.grad(out.square().sum(), [theta, *net.parameters()], allow_unused=True)]
        return [value for value in [*found, *net.state_dict().values()] if value is not None]

    ours = everything()
    with without_compiled():
        theirs = everything()
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


BITS = """
import hashlib, torch
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.nets import passes
from drnas_lib.nets.winograd import convolve
torch.manual_seed(0)
shape = (7, 8, 8, 32)
x, pooled, *grads = (torch.randn(shape) for _ in range(4))
theta, places, grad = torch.rand(2, 5), torch.tensor([[0, 0, 1, 4], [32, 32, 1, 4]]), torch.randn(shape)
sums = [torch.empty(shape) for _ in range(2)]
passes.mix(theta, places, sums, True, x, pooled, torch.randn(7, 8, 8, 64), torch.rand(64), torch.rand(64), torch.randn(448, 64))
found = passes.back(theta, places, grads, True, True, x.relu(), torch.rand(32), grad, True, x, pooled)
results = [*sums, grad, found, passes.avg_pool_3x3(x), convolve(x, torch.randn(64, 32, 3, 3))]
print(hashlib.sha256(b"".join(result.numpy().tobytes() for result in results)).hexdigest())
"""


def test_threads_change_no_bit():
    digests = set()
    for threads in "1", "2", "3":
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        answer = subprocess.run([sys.executable, "-c", BITS], env=environment, capture_output=True, text=True, timeout=300)
        assert answer.returncode == 0, answer.stderr
        digests.add(answer.stdout)
    assert len(digests) == 1


def test_what_is_not_contiguous_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 16\) is not contiguous"):
        passes.avg_pool_3x3(torch.randn(2, 16, 8, 8).permute(0, 2, 3, 1))


def test_what_is_of_other_sources_is_left_alone(monkeypatch):
    monkeypatch.setattr(compiled, "_digest", lambda: b"another")
    with pytest.warns(UserWarning, match="install the project again"):
        assert compiled.library.__wrapped__() is None


def test_whom_they_serve():
    x = torch.zeros(1, 1, 1, 1)
    assert compiled.serves(x, None) and compiled.serves(x.double())
    assert not compiled.serves(x, x.double()) and not compiled.serves(x.bfloat16()) and not compiled.serves(x.to("meta"))
    with without_compiled():
        assert not compiled.serves(x)
