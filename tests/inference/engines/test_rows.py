import random

import pytest
import torch

from inference.engines.rows import Rows
from tests.inference.models import make_tokenizer, random_model


@pytest.fixture(scope="module")
def model():
    return random_model()


@torch.inference_mode()
def logits_of(model, ids):
    """Computed at once and alone, without a cache."""
    return model(input_ids=torch.tensor([list(ids)])).logits[0, -1]


def test_rows_that_join_leave_and_take_ids_back_have_the_logits_of_their_ids_alone(model):
    rng = random.Random(8)
    rows, contents = Rows(model, max_prefill_tokens=60), []

    def random_ids(count):
        return [rng.randrange(len(make_tokenizer())) for _ in range(count)]

    for _ in range(60):
        what = rng.choice(["add", "feed", "feed", "feed", "take back", "keep"])
        if what == "add" and rows.count < 8:
            prompts = [random_ids(rng.randint(1, 30)) for _ in range(rng.randint(1, 3))]
            contents += prompts
            computed, fed = rows.add(prompts), prompts
        elif what == "feed" and contents:
            ids = random_ids(len(contents))
            for content, id_ in zip(contents, ids, strict=True):
                content.append(id_)
            computed, fed = rows.feed(ids), contents
        elif what == "take back" and contents:
            place = rng.randrange(len(contents))
            count = rng.randint(0, min(4, len(contents[place]) - 1))
            rows.take_back(place, count)
            del contents[place][len(contents[place]) - count :]
            continue
        elif what == "keep" and contents:
            kept = sorted(rng.sample(range(len(contents)), rng.randint(0, len(contents))))
            rows.keep(kept)
            contents = [contents[place] for place in kept]
            assert rows.count == len(contents)
            continue
        else:
            continue
        expected = torch.stack([logits_of(model, ids) for ids in fed])
        torch.testing.assert_close(computed, expected, atol=2e-4, rtol=1e-4)


def test_columns_go_with_the_rows_that_needed_them(model):
    rows = Rows(model, max_prefill_tokens=1_000)
    rows.add([[5] * 3, [5] * 10])
    rows.feed([6, 6])
    rows.add([[7] * 40])
    assert (rows.count, rows.width) == (3, 40)
    rows.keep([0, 1])
    assert rows.width == 11
    rows.keep([0])
    assert rows.width == 4
    rows.keep([])
    assert (rows.count, rows.width) == (0, 0)
    assert rows.add([[5, 6]]).shape[0] == 1
