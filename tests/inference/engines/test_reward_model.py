"""Reward models of transformers, small and random, against one pass for each step that is written out here."""

import pytest

from curation.errors import ConfigError
from inference.engines.reward_model import TransformersRewardModel
from inference.engines.transformers import TransformersEngine
from inference.methods.rebase import Rebase
from inference.rewards import Solution
from inference.runner import run
from tests.inference.models import make_tokenizer, random_model
from tests.inference.settings import SHORT, check_account, make_setting, make_trial

HEADS = ["Qwen2ForTokenClassification", "Qwen2ForSequenceClassification"]
SOLUTIONS = [
    Solution("12 + 30", (" so the sum\n\n", " is 42\n\n", "Answer: 42")),
    Solution("12 + 30", (" step\n\n",)),
    Solution("1 + 1", (" so the sum is therefore\n\n", "Answer: 2"), first=1),
]


def make_model(head, *, num_labels=2, context_tokens=256):
    return random_model(
        head=head,
        context_tokens=context_tokens,
        hidden=32,
        initializer_range=0.5,
        num_labels=num_labels,
        pad_token_id=make_tokenizer().pad_token_id,
    )


def slow_rewards(model, solution):
    """One pass a step, over the text up to it alone, through the head's own forward."""
    import torch

    tokenizer, found = make_tokenizer(), []
    ids = tokenizer.encode(solution.problem + "\n")
    for place, step in enumerate(solution.steps):
        ids = ids + tokenizer.encode(step.strip()) + tokenizer.encode("\n")
        if place >= solution.first:
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0]
            logits = logits[-1] if logits.ndim == 2 else logits
            good = torch.sigmoid(logits[0]) if len(logits) == 1 else torch.softmax(logits, dim=0)[1]
            found.append(float(good))
    return found, len(ids)


@pytest.mark.parametrize("num_labels", [1, 2])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("max_batch_tokens", [1, 60, 16_384])
def test_rewards_are_those_of_one_pass_for_each_step(head, num_labels, max_batch_tokens):
    model = make_model(head, num_labels=num_labels)
    scorer = TransformersRewardModel(model, make_tokenizer(), max_batch_tokens=max_batch_tokens)
    for solution, scored in zip(SOLUTIONS, scorer.score(SOLUTIONS), strict=True):
        rewards, tokens = slow_rewards(model, solution)
        assert scored.rewards == pytest.approx(rewards, abs=1e-5)
        assert scored.tokens == tokens
    spread = [reward for scored in scorer.score(SOLUTIONS) for reward in scored.rewards]
    assert max(spread) - min(spread) > 0.05


def test_a_saved_model_is_the_same_one(tmp_path):
    for head in HEADS:
        folder = tmp_path / head
        model = make_model(head)
        model.save_pretrained(folder)
        make_tokenizer().save_pretrained(folder)
        loaded = TransformersRewardModel.load(folder)
        made = TransformersRewardModel(model, make_tokenizer())
        for left, right in zip(loaded.score(SOLUTIONS), made.score(SOLUTIONS), strict=True):
            assert left.rewards == pytest.approx(right.rewards, abs=1e-6)
        assert loaded.fingerprint()["reward_model"] == head
        assert loaded.fingerprint()["dtype"] == "float32"


@pytest.mark.parametrize("context_tokens", [24, 40, 64])
def test_a_solution_beyond_the_context_is_read_in_parts_with_a_reward_for_each_step(context_tokens):
    model = make_model(HEADS[0], context_tokens=context_tokens)
    read = []
    hook = model.register_forward_pre_hook(
        lambda _module, _args, kwargs: read.append(int(kwargs["attention_mask"].sum(dim=1).max())), with_kwargs=True
    )
    steps = tuple(f" step {place}\n\n" for place in range(30))
    scorer = TransformersRewardModel(model, make_tokenizer(), max_batch_tokens=1)
    (scored,) = scorer.score([Solution("12 + 30", steps)])
    hook.remove()
    assert len(scored.rewards) == 30
    assert max(read) <= context_tokens
    assert scored.tokens == sum(read)
    # a part takes as many steps as fit: half of the context is new each time
    assert len(read) < 30
    # the first steps stand in their place, and those behind see the problem and the steps just before
    first, _ = slow_rewards(model, Solution("12 + 30", steps[:2]))
    assert scored.rewards[:2] == pytest.approx(first, abs=1e-5)
    # only the newest step is wanted, as in a search
    (newest,) = scorer.score([Solution("12 + 30", steps, first=29)])
    assert len(newest.rewards) == 1


def test_a_problem_and_a_step_that_are_each_beyond_the_context_are_scored_all_the_same():
    scorer = TransformersRewardModel(make_model(HEADS[1], context_tokens=32), make_tokenizer())
    (scored,) = scorer.score([Solution("12 + 30 " * 50, (" so" * 80, "Answer: 42"))])
    assert len(scored.rewards) == 2
    assert all(0 <= reward <= 1 for reward in scored.rewards)


def test_a_search_runs_on_a_model_with_a_reward_model():
    engine = TransformersEngine(random_model(), make_tokenizer(), max_rows=6)
    scorer = TransformersRewardModel(make_model(HEADS[0]), make_tokenizer())
    setting = make_setting(context_tokens=engine.context_tokens, reward_model=scorer)
    options = Rebase(num_samples=3, max_thinking_tokens=40, max_step_tokens=12, **SHORT)
    outcomes = list(run([make_trial(f"p{place}") for place in range(4)], options, engine, setting))
    assert len(outcomes) == 4
    for outcome in outcomes:
        check_account(outcome)
        assert len(outcome.candidates) == 3
        assert outcome.account.reward_tokens > 0
        assert all(0 < paid.reward < 1 for paid in outcome.samples)


def test_a_model_that_scores_no_steps_says_so(tmp_path):
    tokenizer = make_tokenizer()
    with pytest.raises(ConfigError, match=r"the reward model is a Qwen2ForCausalLM; a \.\.\.ForToken"):
        TransformersRewardModel(random_model(), tokenizer)
    with pytest.raises(ConfigError, match="the reward model has 3 labels; 1 or 2 are allowed"):
        TransformersRewardModel(make_model(HEADS[0], num_labels=3), tokenizer)
    with pytest.raises(ConfigError, match="separator='' has no ids"):
        TransformersRewardModel(make_model(HEADS[0]), tokenizer, separator="")
    random_model().save_pretrained(tmp_path / "causal")
    with pytest.raises(ConfigError, match=r"holds Qwen2ForCausalLM; a \.\.\.ForToken"):
        TransformersRewardModel.load(tmp_path / "causal")
    with pytest.raises(ConfigError, match="reward model '/nowhere' cannot be loaded: "):
        TransformersRewardModel.load("/nowhere")
    with pytest.raises(ConfigError, match="dtype='int3'; float32 or bfloat16 is allowed"):
        TransformersRewardModel.load(tmp_path / "causal", dtype="int3")
