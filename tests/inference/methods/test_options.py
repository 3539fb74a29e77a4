"""Methods by name: options from JSON and back, and one clear line for each wrong one."""

import json

import pytest

from curation.errors import ConfigError
from inference.forcing_plan import BudgetForcing, SamplingOverride
from inference.methods.limits import thinking_limit
from inference.methods.options import forcing_from_json, forcing_to_json
from inference.methods.registry import METHODS, method_from_json, method_to_json
from inference.methods.single import BudgetForced
from tests.inference.test_runner import METHODS as ROWS

FORCING = {
    "max_thinking_tokens": 8_000,
    "num_ignore": 2,
    "ignore_strings": ["Wait", ""],
    "answer_reserve": 50,
    "max_answer_tokens": 400,
    "forced_answer": "",
    "overrides": [{"after": 1, "temperature": 0.5, "frequency_penalty": None}],
    "starts_thinking": True,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_method_comes_back_from_json(row):
    method = method_from_json(row)
    stored = json.loads(json.dumps(method_to_json(method)))
    assert stored.items() >= {key: value for key, value in row.items() if key != "forcing"}.items()
    assert method_from_json(stored) == method


def test_every_method_is_tried():
    assert [row["name"] for row in ROWS] == list(METHODS)


def test_a_name_alone_is_a_method_with_its_defaults():
    assert method_from_json("budget_forcing") == BudgetForced(BudgetForcing())


def test_budget_forcing_comes_back_from_json():
    options = forcing_from_json(FORCING)
    assert options == BudgetForcing(
        max_thinking_tokens=8_000,
        num_ignore=2,
        ignore_strings=("Wait", ""),
        answer_reserve=50,
        max_answer_tokens=400,
        forced_answer="",
        overrides=(SamplingOverride(1, temperature=0.5),),
    )
    assert json.loads(json.dumps(forcing_to_json(options))) == FORCING
    assert forcing_from_json({}) == BudgetForcing()


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ({"name": "token_conditional", "num_tokens": 2048}, 2048),
        ({"name": "token_conditional", "num_tokens": 2048, "forcing": {"max_thinking_tokens": 9}}, 2048),
        ({"name": "step_conditional", "num_steps": 16}, 1600),
        ({"name": "budget_forcing", "forcing": {"max_thinking_tokens": 500}}, 500),
        ({"name": "budget_forcing"}, None),
        ({"name": "none"}, None),
        ({"name": "class_conditional", "length": "short"}, None),
        ({"name": "majority_voting", "num_samples": 4}, None),
    ],
)
def test_control_is_measured_against_what_was_asked_for(row, limit):
    assert thinking_limit(method_from_json(row)) == limit


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("telepathy", "method 'telepathy' is unknown; allowed: none, budget_forcing, token_conditional"),
        ({}, "method None is unknown; allowed: none"),
        (7, "method 7 is unknown"),
        (
            {"name": "none", "forcing": {}},
            "method none has the unknown option 'forcing'; allowed: name, answer_reserve",
        ),
        ({"name": "none", "answer_reserve": 0}, "answer_reserve=0; a whole number of 1 or more is allowed"),
        ({"name": "budget_forcing", "forcing": {"cap": 1}}, "budget forcing has the unknown option 'cap'"),
        (
            {"name": "budget_forcing", "forcing": 5},
            "budget forcing is 5; an object with options is needed",
        ),
        ({"name": "budget_forcing", "forcing": None}, "budget forcing is None; an object with"),
        (
            {"name": "budget_forcing", "forcing": {"max_thinking_tokens": -1}},
            "max_thinking_tokens=-1; a whole number of 0 or more is allowed",
        ),
        (
            {"name": "budget_forcing", "forcing": {"ignore_strings": "Wait"}},
            "ignore_strings='Wait'; a list of texts is needed",
        ),
        (
            {"name": "budget_forcing", "forcing": {"starts_thinking": 1}},
            "starts_thinking=1; true or false is allowed",
        ),
        ({"name": "budget_forcing", "forcing": {"forced_answer": 1}}, "forced_answer=1; a text or null is allowed"),
        ({"name": "budget_forcing", "forcing": {"overrides": {}}}, "overrides={}; a list of objects is needed"),
        ({"name": "budget_forcing", "forcing": {"overrides": [{}]}}, "an override has no 'after'"),
        (
            {"name": "budget_forcing", "forcing": {"overrides": [{"after": 1, "top_p": 1}]}},
            "override has the unknown option 'top_p'; allowed: after, temperature, frequency_penalty",
        ),
        ({"name": "token_conditional"}, "method token_conditional needs num_tokens; give it"),
        ({"name": "token_conditional", "num_tokens": "9"}, "num_tokens='9'; a whole number of 1 or more is allowed"),
        (
            {"name": "token_conditional", "num_tokens": 9, "forcing": {"starts_thinking": False}},
            "starts_thinking=False beside an instruction to think; leave it at True",
        ),
        ({"name": "step_conditional", "num_steps": 0}, "num_steps=0; a whole number of 1 or more is allowed"),
        ({"name": "step_conditional", "num_steps": 4, "countdown": "left"}, "countdown='left'; a text with {steps}"),
        ({"name": "class_conditional", "length": "huge"}, "length='huge' is unknown; allowed: short, long"),
        (
            {"name": "rejection_sampling", "max_thinking_tokens": None},
            "max_thinking_tokens=None; a whole number of 0",
        ),
        (
            {"name": "rejection_sampling", "max_thinking_tokens": 9, "max_attempts": 0},
            "max_attempts=0; a whole number of 1 or more is allowed",
        ),
        (
            {"name": "rejection_sampling", "max_thinking_tokens": 9, "temperature": 0},
            "temperature=0; a number above 0 is allowed",
        ),
        (
            {"name": "rejection_sampling", "max_thinking_tokens": 9, "at_limit": "pray"},
            "at_limit='pray' is unknown; allowed: no_answer, cut",
        ),
        ({"name": "majority_voting", "num_samples": 1001}, "num_samples=1001; 1000 at most are allowed"),
        (
            {"name": "majority_voting", "num_samples": True},
            "num_samples=True; a whole number of 1 or more is allowed",
        ),
        ({"name": "best_of_n", "num_samples": 2, "final": "worst"}, "final='worst' is unknown; allowed: majority"),
        ({"name": "best_of_n", "num_samples": 2, "aggregate": "max"}, "aggregate='max' is unknown; allowed: last"),
        (
            {"name": "rebase", "num_samples": 2, "reward_temperature": float("nan")},
            "reward_temperature=nan; a number above 0 is allowed",
        ),
        (
            {"name": "rebase", "num_samples": 2, "max_step_tokens": 0},
            "max_step_tokens=0; a whole number of 1 or more",
        ),
        ({"name": "rebase", "num_samples": 2, "max_steps": 0}, "max_steps=0; a whole number of 1 or more is allowed"),
    ],
)
def test_a_wrong_option_says_what_came_and_what_is_allowed(row, said):
    with pytest.raises(ConfigError) as caught:
        method_from_json(row)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
