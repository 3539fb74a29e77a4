"""What several samples of a problem are worth together: pass@k, cov@k and maj@k (s1 §4.1, §6.2).

All are exact expectations over which k of a problem's n samples are drawn, without replacement, for every k at once.
"""

import numpy as np

# binomial coefficients of more samples leave the range of float64
MAX_SAMPLES = 1_000
NO_ANSWER = -1


def pass_at_k(num_right: np.ndarray, num_samples: int | np.ndarray, *, max_k: int | None = None) -> np.ndarray:
    """Probability that at least one of k samples is right: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, §2.1).

    The paper's coverage, cov@k, is the same number: see `coverage_at_k`.

    Args:
        num_right: shape (num_problems,), whole numbers: c, the right samples of each problem.
        num_samples: n of each problem, or one number for all.
        max_k: the largest k; the smallest n where it is not given.

    Returns:
        shape (num_problems, max_k), float64 in [0, 1]; column k - 1 holds pass@k. The mean over problems is the
        benchmark's pass@k.

    Raises:
        ValueError: no problem, a count out of range, or a k above some problem's n.
    """
    right = np.asarray(num_right)
    if right.ndim != 1 or not right.size:
        raise ValueError(f"num_right has shape {right.shape}; give one number for each of one or more problems")
    samples = np.broadcast_to(np.asarray(num_samples), right.shape)
    if not (np.issubdtype(right.dtype, np.integer) and np.issubdtype(samples.dtype, np.integer)):
        raise ValueError(f"num_right and num_samples are {right.dtype} and {samples.dtype}; give whole numbers")
    if (right < 0).any() or (right > samples).any():
        place = int(np.flatnonzero((right < 0) | (right > samples))[0])
        raise ValueError(
            f"problem {place} has {right[place]} right of {samples[place]} samples; give 0 to all of them"
        )
    largest = _largest_k(max_k, int(samples.min()))
    drawn = np.arange(largest)
    # C(n - c, k) / C(n, k) as a product of k factors; once the wrong samples are used up it stays 0
    factors = ((samples - right)[:, None] - drawn) / (samples[:, None] - drawn)
    return np.asarray(1.0 - np.cumprod(factors, axis=1))


def coverage_at_k(is_right: np.ndarray, *, max_k: int | None = None) -> np.ndarray:
    """cov@k: the share of problems that k samples solve at least once (s1 §6.2, figure 7; Brown et al. 2024).

    Args:
        is_right: shape (num_problems, num_samples), bool.

    Returns:
        shape (max_k,): the mean over problems of pass@k.

    Raises:
        ValueError: as `pass_at_k`.
    """
    right = _table(is_right, "is_right")
    return np.asarray(pass_at_k(right.sum(axis=1), right.shape[1], max_k=max_k).mean(axis=0))


def majority_at_k(groups: np.ndarray, is_right: np.ndarray, *, max_k: int | None = None) -> np.ndarray:
    """maj@k: probability that the answer with most votes among k samples is right (s1 §4.1, §6.2; Wang et al. 2023).

    Ties are broken uniformly at random among the answers with most votes, as an expectation, so without a seed. This
    is what taking the first of them comes to when samples are in random order. A sample without an answer is drawn
    like any other and has no vote; where no sample drawn has an answer, the vote is not right.

    For the right answer's v votes, the other answers are generating functions in x of how many of each are drawn: at
    most v, where exactly v ties. With t ties the right answer wins with probability 1 / (t + 1), the integral of y^t
    from 0 to 1, which Gauss-Legendre nodes give exactly. Only positive numbers are added: no digits cancel.

    Args:
        groups: shape (num_problems, num_samples), whole numbers: which samples gave the same answer, as
            `equivalence.group_answers` numbers them; -1 for none.
        is_right: the same shape, bool; one value within a group, False where there is no answer.
        max_k: the largest k; all samples where it is not given.

    Returns:
        shape (num_problems, max_k), float64 in [0, 1]; column k - 1 holds maj@k. The mean over problems is the
        benchmark's maj@k.

    Raises:
        ValueError: the shapes differ, there is no sample or above 1,000, k is out of range, a number below -1, or a
            group that is right in one sample and wrong in another.
    """
    right = _table(is_right, "is_right")
    labels = np.asarray(groups)
    if labels.shape != right.shape:
        raise ValueError(f"groups has shape {labels.shape} and is_right {right.shape}; give the same")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < NO_ANSWER:
        raise ValueError(
            f"groups are {labels.dtype} from {labels.min()}; give whole numbers from 0, and -1 for no answer"
        )
    num_samples = right.shape[1]
    if num_samples > MAX_SAMPLES:
        raise ValueError(f"{num_samples} samples of a problem; maj@k takes {MAX_SAMPLES} at most")
    largest = _largest_k(max_k, num_samples)
    binomial = _binomials(num_samples)
    # one row for each right answer: its votes, then those of the other answers from most to least; where they are the
    # same, so is the outcome
    owners, rows = [], []
    for problem, (row, row_is_right) in enumerate(zip(labels, right, strict=True)):
        for own, others in _right_answers(problem, row, row_is_right):
            owners.append(problem)
            rows.append([own, *others, *[0] * (num_samples - 1 - len(others))])
    outcome = np.zeros((len(labels), largest))
    if rows:
        distinct, back = np.unique(np.array(rows), axis=0, return_inverse=True)
        wins = _win_counts(distinct, binomial)[:, 1 : largest + 1] / binomial[num_samples, 1 : largest + 1]
        np.add.at(outcome, np.array(owners), wins[back.reshape(-1)])
    return np.minimum(outcome, 1.0)


def _right_answers(problem: int, labels: np.ndarray, is_right: np.ndarray) -> list[tuple[int, list[int]]]:
    """Of each right answer of a problem: its votes, and the other answers' from most to least."""
    names, votes = np.unique(labels, return_counts=True)
    rights = [is_right[labels == name] for name in names]
    for name, values in zip(names, rights, strict=True):
        if values.any() and (name == NO_ANSWER or not values.all()):
            what = "no answer" if name == NO_ANSWER else f"answer {name}"
            allowed = "wrong" if name == NO_ANSWER else "one or the other"
            raise ValueError(
                f"problem {problem} has {what} that is right in one sample; all samples of it must be {allowed}"
            )
    found = []
    for place, name in enumerate(names):
        if name != NO_ANSWER and rights[place][0]:
            others = [
                int(votes[other]) for other in range(len(names)) if other != place and names[other] != NO_ANSWER
            ]
            found.append((int(votes[place]), sorted(others, reverse=True)))
    return found


def _win_counts(rows: np.ndarray, binomial: np.ndarray) -> np.ndarray:
    """How many draws of k samples the first answer wins, ties counted by their share.

    Args:
        rows: shape (num_rows, num_samples): votes of the answer itself, then of the others from most to least, 0s.
        binomial: Pascal's triangle up to num_samples.

    Returns:
        shape (num_rows, num_samples + 1); column k for k drawn.
    """
    num_rows, num_samples = rows.shape
    counts = np.zeros((num_rows, num_samples + 1))
    for votes in range(1, int(rows[:, 0].max()) + 1):
        active = np.flatnonzero(rows[:, 0] >= votes)
        own, others = rows[active, 0], rows[active, 1:]
        # answers with fewer samples than that can be drawn freely, and so can samples without an answer
        num_rivals = (others >= votes).sum(axis=1)
        num_free = num_samples - own - np.where(others >= votes, others, 0).sum(axis=1)
        most_rivals = int(num_rivals.max(initial=0))
        nodes, weights = np.polynomial.legendre.leggauss(most_rivals // 2 + 1)
        nodes, weights = (nodes + 1) / 2, weights / 2
        ways = np.repeat(binomial[num_free][:, None, :], len(nodes), axis=1)
        for rival in range(most_rivals):
            here = num_rivals > rival
            chosen = binomial[others[here, rival], : votes + 1][:, None, :].repeat(len(nodes), axis=1)
            chosen[:, :, votes] *= nodes
            ways[here] = _multiply(ways[here], chosen)
        # the answer's own votes shift all by that many samples
        won = (ways * weights[None, :, None]).sum(axis=1) * binomial[own, votes][:, None]
        counts[active, votes:] += won[:, : num_samples + 1 - votes]
    return counts


def _multiply(ways: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Products of polynomials along the last axis, cut to the length of the first."""
    product = ways * chosen[:, :, :1]
    for power in range(1, chosen.shape[2]):
        product[:, :, power:] += ways[:, :, :-power] * chosen[:, :, power : power + 1]
    return np.asarray(product)


def _binomials(size: int) -> np.ndarray:
    """Pascal's triangle, shape (size + 1, size + 1), float64."""
    triangle = np.zeros((size + 1, size + 1))
    triangle[:, 0] = 1.0
    for row in range(1, size + 1):
        triangle[row, 1:] = triangle[row - 1, 1:] + triangle[row - 1, :-1]
    return triangle


def _table(values: np.ndarray, name: str) -> np.ndarray:
    table = np.asarray(values)
    if table.dtype != np.bool_ or table.ndim != 2 or not table.size:
        raise ValueError(
            f"{name} is {table.dtype} of shape {table.shape}; give bool, problems by samples, one or more"
        )
    return table


def _largest_k(max_k: int | None, num_samples: int) -> int:
    if max_k is None:
        return num_samples
    if not 1 <= max_k <= num_samples:
        raise ValueError(f"max_k={max_k} is out of range; give 1 to {num_samples}, the samples of a problem")
    return max_k
