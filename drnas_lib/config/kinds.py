"""The kinds of parameters that several notebooks share: what each accepts. No torch."""

from collections.abc import Iterator

from drnas_lib.config import scales
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import (
    Extremes,
    choice,
    integer,
    integers,
    number,
    one_of,
    path,
    text,
)
from drnas_lib.config.presets import DISAGREEMENTS, FAMILIES
from drnas_lib.config.space_rules import MOST_OPERATIONS, RULES, SHRINKS

Space = choice(*RULES)
Macro = choice(*SHRINKS)
Dataset = choice(*FAMILIES)
Method = one_of(METHODS)
Protocol = choice(*DISAGREEMENTS)
Scale = choice(*scales.SCALES)
LrAfterWidening = choice("continued", "restart_epoch", "restart_cosine")
Regulariser = choice("adam_decay", "penalty", "kl")
Bilevel = choice("first", "second")
Derive = choice("mean", "softmax")
Step = choice("arch_first", "weights_first", "single_level", "weights_only")
Split = choice("halves", "test_half")
Precision = choice("float32", "tf32", "bf16")
Evaluate = choice("table", "train", "none")
TauLine = choice("both", "start", "end")
DEVICES = Extremes(("auto", "cpu", "cuda", "cuda:0", "cuda:99"), ("cuda:", "cuda:100", "gpu", ""))
Device = text(r"(?a:auto|cpu|cuda(:\d{1,2})?)", "allowed are auto, cpu, cuda, cuda:N with N up to 99.", DEVICES, ("auto", "cpu", "cuda"))
FolderPath = path("allowed is the path of a folder.")
Name = text(
    r"(?a:\w[\w.+-]{0,99})",
    "allowed are up to 100 letters a-z, A-Z, digits and . _ + -, first a letter or digit: it becomes a folder.",
    Extremes(("a", "a" * 100), ("", "a" * 101, "a/b", "-a")),
)
Seed = integer(0, 2**32 - 1)  # what every generator takes
Count, Amount = integer(1), integer(0)
BatchSize = integer(2)  # normalisation needs two images
# The upper bounds are far above any use: a larger number is a typing error, which would otherwise start and fill the memory.
MOST_EPOCHS = 100_000  # in a stage or a training
Epochs = integer(1, MOST_EPOCHS)
Cells, Channels, Pixels = integer(1, 1000), integer(1, 10_000), integer(8, 2048)
Workers = integer(0, 256)
Trained, Trials, Some = integer(1, 1000), integer(1, 1_000_000), integer(0, 1_000_000)
Cutout = integer(0, even=True)  # the published hole reaches as far to either side of its centre, so an odd side loses a pixel
PerStage, EpochsPerStage = integers(1), integers(1, MOST_EPOCHS)
Keep = integers(1, MOST_OPERATIONS)
Warmup = integers(0)
Positive = number("a number above 0", lambda value: value > 0)
NotNegative = number("a number, 0 or more", lambda value: value >= 0)
Probability = number("a number from 0 to below 1", lambda value: 0 <= value < 1)
EtaMean = number("a number from -10 to 10", lambda value: -10 <= value <= 10)  # beyond, a start would have decided
EtaStd = number("a number from 0 to 10", lambda value: 0 <= value <= 10)
Momentum = number("a number from 0 to below 1", lambda value: 0 <= value < 1)


def equal_shares(processes: int, batch_size: int) -> Iterator[str]:
    """A sentence where the processes cannot share a batch."""
    if batch_size % processes:
        what = f"processes={processes} with batch_size={batch_size}: each needs an equal share of a batch"
        yield f"{what}, so allowed is what divides {batch_size}."
