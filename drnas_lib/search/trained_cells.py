"""What the trainings after a search say, from its record: rank of the found cell among random ones, and the noise. No torch.

The variance of a test accuracy of p % has two parts. Seeds: the variance between the seeds of a cell over their number; three seeds
estimate it poorly, so the found and random cells share the mean of their variances; all-skip, which may train differently, has its own.
Test images: p (100 - p) / images, the variance of a proportion, which more seeds do not lower. The standard error is the root of their sum.
The difference of two cells is within the noise if it is at most twice the root of their summed squared errors. All cells see the same test
images, which makes this rule cautious; test images made from one scan are correlated, which makes it less so.
"""

from dataclasses import dataclass
from statistics import mean, median, variance

FOUND, RANDOM, ALL_SKIP = "derived", "random_", "all_skip"  # names of cells in a record; a random cell has a number after it
MEDIAN = "median"  # of the random cells, which counts as a cell
STANDARD_ERRORS = 2  # standard errors that a difference must exceed


def by_seed(key: str) -> str:
    """In a record, the key of the accuracies of all seeds; `key` is that of their mean."""
    return f"{key}_by_seed"


def cell_label(cell: str) -> str:
    """A cell's name for people."""
    return {FOUND: "found", ALL_SKIP: "all-skip"}.get(cell) or cell.replace("_", " ")


@dataclass(frozen=True)
class TrainedCells:
    """`accuracies`: test accuracies in % by cell, one for each seed; `images`: the number of test images."""

    accuracies: dict[str, list[float]]
    images: int
    epochs: int

    @classmethod
    def of(cls, evaluation: dict, dataset: str) -> "TrainedCells":
        """From the evaluation in the record of a search."""
        key = by_seed(f"{dataset}_test_acc_pct")
        return cls({cell["cell"]: cell[key] for cell in evaluation["cells"]}, evaluation["test_images"], evaluation["epochs"])

    @property
    def random(self) -> list[str]:
        return [cell for cell in self.accuracies if cell.startswith(RANDOM)]

    @property
    def seeds(self) -> int:
        return len(self.accuracies[FOUND])

    def mean(self, cell: str) -> float:
        """Accuracy in %, the mean of all seeds; MEDIAN is the median of the random cells."""
        return median(map(self.mean, self.random)) if cell == MEDIAN else mean(self.accuracies[cell])

    @property
    def rank(self) -> int:
        """Rank of the found cell among itself and the random cells; 1 is the best, and equal cells do not come before it."""
        return 1 + sum(self.mean(cell) > self.mean(FOUND) for cell in self.random)

    def standard_error(self, cell: str) -> float:
        """Standard error of a cell's mean accuracy; with one seed, of the test images alone."""
        pooled, accuracy = [ALL_SKIP] if cell == ALL_SKIP else [FOUND, *self.random], self.mean(cell)
        of_seeds = mean(variance(self.accuracies[one]) for one in pooled) / self.seeds if self.seeds > 1 else 0.0
        return (of_seeds + accuracy * (100 - accuracy) / self.images) ** 0.5

    def noise(self, cell: str) -> float:
        """The largest difference between the found cell and this cell that counts as noise."""
        return STANDARD_ERRORS * (self.standard_error(FOUND) ** 2 + self.standard_error(cell) ** 2) ** 0.5

    def indistinguishable(self) -> list[str]:
        """The random cells whose difference to the found one is within the noise."""
        return [cell for cell in self.random if abs(self.mean(FOUND) - self.mean(cell)) <= self.noise(cell)]

    def against(self, cell: str) -> str:
        """'67.6 %, is 7.5 points lower, more than the noise of 2.4': this cell compared with the found one."""
        difference, noise = self.mean(cell) - self.mean(FOUND), self.noise(cell)
        side, verdict = "higher" if difference > 0 else "lower", "more than" if abs(difference) > noise else "within"
        return f"{self.mean(cell):.1f} %, is {abs(difference):.1f} points {side}, {verdict} the noise of {noise:.1f}"

    def sentence(self, dataset: str) -> str:
        """Rank, distance to the median random cell and to all-skip, and the noise, in Markdown."""
        means, hidden = [self.mean(cell) for cell in self.random], len(self.indistinguishable())
        text = (
            f"Trained alike for {_counted(self.epochs, 'epoch')} with {_counted(self.seeds, 'seed')} each, the found cell reaches "
            f"{self.mean(FOUND):.1f} % test accuracy on {dataset}: rank {self.rank} of {len(means) + 1}, beside "
            f"{_counted(len(means), 'random cell')} of {min(means):.1f} to {max(means):.1f} %. "
            f"Their median, {self.against(MEDIAN)}"
        )
        if ALL_SKIP in self.accuracies:
            text += f"; all-skip, {self.against(ALL_SKIP)}"
        beyond = "The difference to every random cell is more than the noise."
        noise = f"The difference to {_counted(hidden, 'random cell')} is within the noise." if hidden else beyond
        seeds = "the spread over seeds and" if self.seeds > 1 else "not the spread over seeds, since there is one seed, but"
        return (
            f"**{text}. {noise}** Noise is twice the standard error of a difference. It covers {seeds} the limited number of test images "
            f"({self.images:,})."
        )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
