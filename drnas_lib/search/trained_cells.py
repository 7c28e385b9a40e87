"""The found cell beside cells that owe nothing to the search, all trained alike: rank, and what of a difference is noise. No torch.

A test accuracy of p % has two errors. That of the seeds: the variance between the seeds of a cell, over their number; since three seeds say
little of one, the found and the random cells share the mean of their variances, and all-skip, whose training may be another matter, has its
own. That of the test images: p (100 - p) / images, as of a proportion, which more seeds do not lower. The standard error is the root of
their sum. A difference of two cells is within the noise when it is at most twice the root of their summed squared errors. The cells see the
same test images, which makes this cautious; images made of one scan are alike, which makes it less so.
"""

from dataclasses import dataclass
from statistics import mean, median, variance

FOUND, RANDOM, ALL_SKIP = "derived", "random_", "all_skip"  # cells as the record names them; random ones have a number
MEDIAN = "median"  # of the random cells, which counts as a cell
ERRORS = 2  # standard errors that a difference must exceed


def by_seed(key: str) -> str:
    """The key of the accuracies of all seeds, beside that of their mean."""
    return f"{key}_by_seed"


def shown(cell: str) -> str:
    """A cell's name for people."""
    return {FOUND: "found", ALL_SKIP: "all-skip"}.get(cell) or cell.replace("_", " ")


@dataclass(frozen=True)
class TrainedCells:
    """`accuracies`: test accuracy in % by cell, a number for each seed. `images` are those of the test."""

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
        return median(map(self.mean, self.random)) if cell == MEDIAN else mean(self.accuracies[cell])

    @property
    def rank(self) -> int:
        """Of the found cell among itself and the random ones; 1 is the best, and who is equal does not come before it."""
        return 1 + sum(self.mean(cell) > self.mean(FOUND) for cell in self.random)

    def error(self, cell: str) -> float:
        """Standard error of a cell's mean accuracy; with one seed, of the test images alone."""
        alike, accuracy = [ALL_SKIP] if cell == ALL_SKIP else [FOUND, *self.random], self.mean(cell)
        of_seeds = mean(variance(self.accuracies[one]) for one in alike) / self.seeds if self.seeds > 1 else 0.0
        return (of_seeds + accuracy * (100 - accuracy) / self.images) ** 0.5

    def noise(self, cell: str) -> float:
        """How far the found cell and this one may lie apart by chance."""
        return ERRORS * (self.error(FOUND) ** 2 + self.error(cell) ** 2) ** 0.5

    def not_told_apart(self) -> list[str]:
        """The random cells whose difference to the found one is within the noise."""
        return [cell for cell in self.random if abs(self.mean(FOUND) - self.mean(cell)) <= self.noise(cell)]

    def against(self, cell: str) -> str:
        """'67.6 %, is 7.5 points lower, more than the noise of 2.4': a cell than the found one."""
        difference, noise = self.mean(cell) - self.mean(FOUND), self.noise(cell)
        side, verdict = "higher" if difference > 0 else "lower", "more than" if abs(difference) > noise else "within"
        return f"{self.mean(cell):.1f} %, is {abs(difference):.1f} points {side}, {verdict} the noise of {noise:.1f}"

    def sentence(self, dataset: str) -> str:
        """Rank, distance to the median random cell and to all-skip, and what of it is noise."""
        means, alike = [self.mean(cell) for cell in self.random], len(self.not_told_apart())
        said = (
            f"Trained alike for {_counted(self.epochs, 'epoch')} with {_counted(self.seeds, 'seed')} each, the found cell reaches "
            f"{self.mean(FOUND):.1f} % test accuracy on {dataset}: rank {self.rank} of {len(means) + 1}, beside "
            f"{_counted(len(means), 'random cell')} of {min(means):.1f} to {max(means):.1f} %. "
            f"Their median, {self.against(MEDIAN)}"
        )
        if ALL_SKIP in self.accuracies:
            said += f"; all-skip, {self.against(ALL_SKIP)}"
        hidden = f"Noise hides how it differs from {_counted(alike, 'random cell')}." if alike else "It differs from every random cell."
        of = "seeds and" if self.seeds > 1 else "the seed, whose part one alone does not show, and"
        return f"**{said}. {hidden}** Noise is twice the standard error of a difference, of {of} {self.images:,} test images."


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
