"""In which order rows are trained on: decided by the seed alone, whatever the devices and micro-batches are.

Every optimizer step has its rows fixed. Only within a step rows go by length, so that those computed together are of
about one length; the step's loss is a mean over its tokens, to which their order is nothing.
"""

from collections.abc import Sequence

import numpy as np


def order_rows(lengths: Sequence[int], *, batch_size: int, num_steps: int, seed: int) -> list[int]:
    """Row numbers of all steps, one after the other; shape (num_steps * batch_size,).

    Each epoch goes through all rows in an order of its own. Its last step may have fewer rows than a batch; it is
    filled up with -1, so that micro-batches come out even on any number of devices.

    Args:
        lengths: tokens of each row, shape (rows,).
    """
    num_rows = len(lengths)
    of_epoch = -(-num_rows // batch_size)
    order: list[int] = []
    for step in range(num_steps):
        epoch, place = divmod(step, of_epoch)
        if place == 0:
            permutation = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(num_rows).tolist()
        rows = permutation[place * batch_size : (place + 1) * batch_size]
        # the longest first: what does not fit into memory shows at once
        rows.sort(key=lambda row: (-lengths[row], row))
        order += rows + [-1] * (batch_size - len(rows))
    return order
