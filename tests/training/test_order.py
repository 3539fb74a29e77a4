"""The order of rows: every row once an epoch, decided by the seed alone."""

from collections.abc import Iterator, Sequence

import pytest

from training.order import order_rows


def batched(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for at in range(0, len(order), size):
        yield order[at : at + size]


@pytest.mark.parametrize(("num_rows", "batch_size"), [(1, 1), (5, 2), (16, 16), (17, 16), (100, 7)])
def test_every_epoch_has_every_row_once(num_rows: int, batch_size: int) -> None:
    of_epoch = -(-num_rows // batch_size)
    order = order_rows(list(range(num_rows)), batch_size=batch_size, num_steps=3 * of_epoch, seed=1)
    assert len(order) == 3 * of_epoch * batch_size
    for epoch in batched(order, of_epoch * batch_size):
        assert sorted(row for row in epoch if row >= 0) == list(range(num_rows))


def test_a_smaller_last_step_is_filled_up_at_its_end() -> None:
    order = order_rows([1] * 5, batch_size=2, num_steps=6, seed=0)
    assert [place for place, row in enumerate(order) if row < 0] == [5, 11]


def test_the_seed_alone_decides() -> None:
    lengths = [row * 37 % 11 for row in range(50)]
    one = order_rows(lengths, batch_size=8, num_steps=14, seed=3)
    assert order_rows(lengths, batch_size=8, num_steps=14, seed=3) == one
    assert order_rows(lengths, batch_size=8, num_steps=14, seed=4) != one


def test_epochs_differ_in_their_order() -> None:
    order = order_rows([1] * 64, batch_size=8, num_steps=16, seed=0)
    assert [set(step) for step in batched(order[:64], 8)] != [set(step) for step in batched(order[64:], 8)]


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    lengths = [row % 5 for row in range(20)]
    assert order_rows(lengths, batch_size=4, num_steps=12, seed=0)[:28] == order_rows(
        lengths, batch_size=4, num_steps=7, seed=0
    )


def test_within_a_step_the_longest_come_first_and_lengths_move_no_row_to_another_step() -> None:
    lengths = [row * 37 % 101 for row in range(40)]
    order = order_rows(lengths, batch_size=8, num_steps=10, seed=2)
    plain = order_rows([1] * 40, batch_size=8, num_steps=10, seed=2)
    for step, same in zip(batched(order, 8), batched(plain, 8), strict=True):
        assert [lengths[row] for row in step] == sorted((lengths[row] for row in step), reverse=True)
        assert sorted(step) == sorted(same)


def test_first_places_are_shared_out_evenly() -> None:
    counts = [0] * 10
    for seed in range(2_000):
        for row in order_rows([1] * 10, batch_size=2, num_steps=1, seed=seed):
            counts[row] += 1
    # 400 expected, standard deviation 18
    assert all(320 < count < 480 for count in counts)


# the order is part of what makes a run repeatable: another version of it would train another model
def test_the_order_of_a_seed_stays_what_it_is() -> None:
    assert order_rows([3, 1, 4, 1, 5], batch_size=2, num_steps=3, seed=0) == [4, 2, 0, 3, 1, -1]
