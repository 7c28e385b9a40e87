"""S1 to S4 of Zela et al., *Understanding and Robustifying Differentiable Architecture Search* (ICLR 2020): the cell of the DARTS space
with few operations on an edge, on which DARTS is known to fail."""

from drnas_lib.spaces.darts import EDGES, GROUPS, NODES, decoder
from drnas_lib.spaces.space import Space

MAX, AVG, SKIP, SEP3 = "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3"
DIL3, DIL5 = "dil_conv_3x3", "dil_conv_5x5"

S1_CHOICES = (  # the two operations that DARTS ranks highest on each edge
    (
        ((SKIP, DIL3), (SKIP, DIL5))
        + ((SKIP, DIL5), (SKIP, SEP3), (SKIP, DIL3))
        + ((MAX, SKIP), (SKIP, SEP3), (SKIP, SEP3), (SKIP, DIL3))
        + ((SKIP, SEP3), (MAX, SKIP), (SKIP, DIL3), (DIL3, DIL5), (DIL3, DIL5))
    ),
    (
        ((MAX, AVG), (MAX, DIL3))
        + ((MAX, AVG), (MAX, AVG), (SKIP, DIL5))
        + ((MAX, AVG), (MAX, SEP3), (SKIP, DIL3), (SKIP, DIL5))
        + ((MAX, AVG), (MAX, AVG), (SKIP, DIL5), (SKIP, DIL5), (SKIP, DIL5))
    ),
)


def _space(name: str, operations: tuple[str, ...], choices=None) -> Space:
    return Space(name, operations, EDGES, NODES, GROUPS, decoder(operations), choices)


S1 = _space("s1", (MAX, AVG, SKIP, SEP3, DIL3, DIL5), S1_CHOICES)
S2 = _space("s2", (SKIP, SEP3))
S3 = _space("s3", ("none", SKIP, SEP3))
S4 = _space("s4", ("noise", SEP3))
