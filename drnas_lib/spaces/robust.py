"""The spaces S1 to S4 of Zela et al. (ICLR 2020): cells of the DARTS space with few operations on an edge, where DARTS fails."""

from drnas_lib.spaces.darts import AVG, DIL3, DIL5, MAX, SEP3, SKIP, darts_space

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

S1 = darts_space("s1", (MAX, AVG, SKIP, SEP3, DIL3, DIL5), S1_CHOICES)
S2 = darts_space("s2", (SKIP, SEP3))
S3 = darts_space("s3", ("none", SKIP, SEP3))
S4 = darts_space("s4", ("noise", SEP3))
