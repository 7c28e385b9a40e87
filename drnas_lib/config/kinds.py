"""The types of the parameters that several notebooks share. No torch."""

from typing import Annotated

from drnas_lib.config import scales
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import choice, integer, integers, number, one_of, path, text
from drnas_lib.config.presets import DISAGREEMENTS, FAMILIES
from drnas_lib.config.space_rules import MOST_OPERATIONS, RULES, SHRINKS

Space = Annotated[str, choice(*RULES)]
Macro = Annotated[str, choice(*SHRINKS)]
Dataset = Annotated[str, choice(*FAMILIES)]
Method = Annotated[str, one_of(METHODS)]
Protocol = Annotated[str, choice(*DISAGREEMENTS)]
Scale = Annotated[str, choice(*scales.SCALES)]
LrAfterWidening = Annotated[str, choice("continued", "restart_epoch", "restart_cosine")]
Regulariser = Annotated[str, choice("adam_decay", "penalty", "kl")]
Bilevel = Annotated[str, choice("first", "second")]
Derive = Annotated[str, choice("mean", "softmax")]
Step = Annotated[str, choice("arch_first", "weights_first", "single_level", "weights_only")]
Split = Annotated[str, choice("halves", "test_half")]
Precision = Annotated[str, choice("float32", "tf32", "bf16")]
Evaluate = Annotated[str, choice("table", "train", "none")]
TauLine = Annotated[str, choice("both", "start", "end")]
Device = Annotated[
    str,
    text(
        r"(?a:auto|cpu|cuda(:\d{1,2})?)",
        "allowed are auto, cpu, cuda, cuda:N with N up to 99.",
        inside=("auto", "cpu", "cuda", "cuda:0", "cuda:99"),
        outside=("cuda:", "cuda:100", "gpu", ""),
        near=("auto", "cpu", "cuda"),
    ),
]
FolderPath = Annotated[str, path("allowed is the path of a folder.")]
Name = Annotated[
    str,
    text(
        r"(?a:\w[\w.+-]{0,99})",
        "allowed are up to 100 letters a-z, A-Z, digits and . _ + -, first a letter or digit: it becomes a folder.",
        inside=("a", "a" * 100),
        outside=("", "a" * 101, "a/b", "-a"),
    ),
]
Seed = Annotated[int, integer(0, 2**32 - 1)]  # the range of every generator
# The upper bounds are far above any use: a larger number is a typing error, which would otherwise start and fill the memory.
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
Cutout = Annotated[int, integer(0, even=True)]  # the published hole reaches as far to either side of its centre: an odd side loses a pixel
PerStage = Annotated[list[int], integers(1)]
EpochsPerStage = Annotated[list[int], integers(1, MOST_EPOCHS)]
Keep = Annotated[list[int], integers(1, MOST_OPERATIONS)]
Warmup = Annotated[list[int], integers(0)]
Positive = Annotated[float, number("a number above 0", lambda value: value > 0)]
NotNegative = Annotated[float, number("a number, 0 or more", lambda value: value >= 0)]
Fraction = Annotated[float, number("a number from 0 to below 1", lambda value: 0 <= value < 1)]
EtaMean = Annotated[float, number("a number from -10 to 10", lambda value: -10 <= value <= 10)]  # beyond, the start decides the cell
EtaStd = Annotated[float, number("a number from 0 to 10", lambda value: 0 <= value <= 10)]
