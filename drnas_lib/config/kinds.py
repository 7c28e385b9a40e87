"""The kinds of parameter that several configurations share, such as `Seed` and `BatchSize`. No torch."""

from typing import Annotated

from drnas_lib.config import scales
from drnas_lib.config.parameters import choice, integer, integers, number, path, text
from drnas_lib.config.presets import DISAGREEMENTS, FAMILIES

Dataset = Annotated[str, choice(*FAMILIES)]
Protocol = Annotated[str, choice(*DISAGREEMENTS)]
Scale = Annotated[str, choice(*scales.SCALES)]
Regulariser = Annotated[str, choice("adam_decay", "penalty", "kl")]
Precision = Annotated[str, choice("float32", "tf32", "bf16")]
DEVICES = ("auto", "cpu", "cuda")
DEVICE_PATTERN, ALLOWED_DEVICES = r"(?a:auto|cpu|cuda(:\d{1,2})?)", "allowed are auto, cpu, cuda, cuda:N with N up to 99."
Device = Annotated[str, text(DEVICE_PATTERN, ALLOWED_DEVICES, (*DEVICES, "cuda:99"), ("cuda:", "cuda:100", "gpu", ""), near=DEVICES)]
ALLOWED_NAMES = "allowed are up to 100 letters a-z, A-Z, digits and . _ + -, first a letter, a digit or _: it becomes a folder."
Name = Annotated[str, text(r"(?a:\w[\w.+-]{0,99})", ALLOWED_NAMES, ("a", "a" * 100), ("", "a" * 101, "a/b", "-a"))]
FolderPath = Annotated[str, path("allowed is the path of a folder.")]
Seed = Annotated[int, integer(0, 2**32 - 1)]  # the range of every generator
# The upper bounds are far above any use: a larger number is a typing error, and the run would fill the memory.
Count = Annotated[int, integer(1)]
CountOrZero = Annotated[int, integer(0)]
BatchSize = Annotated[int, integer(2)]  # normalisation needs two images
MOST_EPOCHS = 100_000  # in a stage or a training
Epochs = Annotated[int, integer(1, MOST_EPOCHS)]
Cells = Annotated[int, integer(1, 1000)]
Channels = Annotated[int, integer(1, 10_000)]
Pixels = Annotated[int, integer(8, 2048)]
Workers = Annotated[int, integer(0, 256)]
Trainings = Annotated[int, integer(1, 1000)]
Samples = Annotated[int, integer(1, 1_000_000)]
SamplesOrZero = Annotated[int, integer(0, 1_000_000)]
Cutout = Annotated[int, integer(0, even=True)]  # the published hole extends equally to both sides of its centre
PerStage = Annotated[list[int], integers(1)]
EpochsPerStage = Annotated[list[int], integers(1, MOST_EPOCHS)]
Positive = Annotated[float, number("a number above 0", lambda value: value > 0)]
NotNegative = Annotated[float, number("a number, 0 or more", lambda value: value >= 0)]
Fraction = Annotated[float, number("a number from 0 to below 1", lambda value: 0 <= value < 1)]
