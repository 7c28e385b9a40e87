"""Fronts of accuracy (more is better) against cost (less is better), and the area that they dominate. NumPy only."""

import numpy as np


def front(cost: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Positions of the points that no other one beats, ascending in cost; of equal points the first."""
    order = np.lexsort((-accuracy, cost))
    best = np.maximum.accumulate(accuracy[order])
    improves = np.r_[True, best[1:] > best[:-1]]
    return order[improves]


def hypervolume(cost: np.ndarray, accuracy: np.ndarray, reference: tuple[float, float]) -> float:
    """Area that the points dominate up to `reference` = (cost, accuracy), the worst corner; points beyond it add nothing."""
    cost, accuracy = np.asarray(cost, float), np.asarray(accuracy, float)
    within = (cost < reference[0]) & (accuracy > reference[1])
    if not within.any():
        return 0.0
    cost, accuracy = cost[within], accuracy[within]
    chosen = front(cost, accuracy)
    ends = np.r_[cost[chosen][1:], reference[0]]
    return float(((ends - cost[chosen]) * (accuracy[chosen] - reference[1])).sum())
