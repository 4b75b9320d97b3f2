"""The size of a difference between two samples, and the adjustment of the p-values of many tests.

The population stability index (PSI) is the symmetric Kullback-Leibler divergence of the shares of bins; it
starts at 0, and 0.1 is commonly called moderate, 0.25 large. The bins are the deciles of the old data. Holm's
method bounds the probability of any false finding for any dependence of the tests.
"""

import numpy as np

BINS = 10


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def psi(new: np.ndarray, old: np.ndarray) -> float:
    """Return the population stability index of two counts by bin.

    Half a row is added to each bin, so that an empty bin has a finite index.
    """
    ours, theirs = ((counts + 0.5) / (counts.sum() + len(counts) / 2) for counts in (new, old))
    return float(np.sum((ours - theirs) * np.log(ours / theirs)))


def binned(new: np.ndarray, old: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the values of each bin. Each of a few old values has its own bin, with bins between them."""
    values = np.unique(old)
    few = len(values) <= BINS
    edges = values if few else np.unique(np.quantile(old, np.arange(1, BINS) / BINS))
    bins = 2 * len(edges) + 1 if few else len(edges) + 1
    counts = []
    for side in (new, old):
        bin_of = np.searchsorted(edges, side) + (np.searchsorted(edges, side, "right") if few else 0)
        counts.append(np.bincount(bin_of, minlength=bins))
    used = (counts[0] + counts[1]) > 0
    return counts[0][used], counts[1][used]
