"""The search spaces by name. A new space is a new file here, a row in the table and a row in config/presets.py."""

from drnas_lib.spaces.darts import DARTS, S1, S2, S3, S4
from drnas_lib.spaces.nb201 import NB201
from drnas_lib.spaces.space import Space

SPACES: dict[str, Space] = {space.name: space for space in (NB201, DARTS, S1, S2, S3, S4)}
