import json

import pytest

from curation.errors import ConfigError, InputError
from inference.evaluation.config import config_from_json, config_to_json, read_config

FEWEST = {"model": "m", "benchmark": "math500", "method": "none"}
WHOLE = FEWEST | {
    "method": {
        "name": "budget_forcing",
        "forcing": {
            "max_thinking_tokens": 8000,
            "num_ignore": 4,
            "ignore_strings": ["Wait", "Hmm"],
            "overrides": [{"after": 3, "temperature": 0.7}],
        },
    },
    "engine": "vllm",
    "engine_options": {"dtype": "bfloat16"},
    "tokenizer": "t",
    "profile": "think",
    "sampling": {"temperature": 0.6, "top_p": 0.95},
    "repeats": 4,
    "seed": 7,
    "limit": 10,
    "shuffle_seed": 2,
    "template": "Q: {problem}",
    "grading": {"allow_bare": True, "timeout_seconds": 2},
    "reward_model": "r",
}


@pytest.mark.parametrize("row", [FEWEST, WHOLE], ids=["fewest keys", "every key"])
def test_a_config_comes_back_from_json_as_it_was(row):
    config = config_from_json(row)
    text = json.dumps(config_to_json(config))
    assert config_from_json(json.loads(text)) == config
    assert json.dumps(config_to_json(config_from_json(json.loads(text)))) == text


def test_defaults_are_the_papers():
    config = config_from_json(FEWEST)
    assert (config.profile.name, config.sampling.temperature, config.repeats, config.seed) == ("s1", 0.0, 1, 0)
    assert (config.engine, config.grading.math_verify, config.limit) == ("transformers", True, None)


def test_every_key_is_kept():
    config = config_from_json(WHOLE)
    forcing = config.method.forcing
    assert (forcing.max_thinking_tokens, forcing.ignore_strings) == (8000, ("Wait", "Hmm"))
    assert forcing.overrides[0].temperature == 0.7
    assert (config.engine, dict(config.engine_options), config.profile.name) == (
        "vllm",
        {"dtype": "bfloat16"},
        "think",
    )
    assert (config.sampling.top_p, config.grading.allow_bare, config.grading.math_verify) == (0.95, True, True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"metod": "none"}, "the run has the unknown option 'metod'; allowed: model, benchmark, method"),
        ({"method": "nothing"}, "method 'nothing' is unknown; allowed: none, budget_forcing"),
        ({"method": {"name": "none", "cap": 1}}, "method none has the unknown option 'cap'"),
        (
            {"method": {"name": "budget_forcing", "forcing": {"max_thinking_tokens": -1}}},
            "max_thinking_tokens=-1; a whole number of 0 or more is allowed",
        ),
        ({"engine": "gguf"}, "engine='gguf' is unknown; allowed: transformers, vllm, openai"),
        ({"engine_options": [1]}, r"engine_options=\[1\]; an object with the engine's options is needed"),
        ({"profile": "s2"}, "delimiter profile 's2' is unknown; allowed: s1, think, harmony"),
        ({"profile": {"name": "x"}}, "delimiter profile has no 'start'"),
        ({"repeats": 0}, "repeats=0; a whole number of 1 or more is allowed"),
        ({"repeats": True}, "repeats=True; a whole number"),
        ({"seed": -1}, "seed=-1; a whole number of 0 or more is allowed"),
        ({"limit": 0}, "limit=0; a whole number of 1 or more is allowed"),
        ({"sampling": {"temperature": "hot"}}, "sampling.temperature='hot'; a number is needed"),
        ({"sampling": {"temperature": -1}}, "temperature=-1; 0 "),
        ({"sampling": {"heat": 1}}, "sampling has the unknown option 'heat'"),
        ({"sampling": {"seed": 3}}, "sampling has seed=3; give the run's seed beside it"),
        ({"grading": {"math_verify": 1}}, "grading.math_verify=1; true or false is needed"),
        ({"model": ""}, "model=''; a name or a path is needed"),
        ({"system": None}, "system=None; a text is needed"),
        ({"template": 3}, "template=3; a text or null is allowed"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(change, text):
    with pytest.raises(ConfigError, match=text) as raised:
        config_from_json(FEWEST | change)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["model", "benchmark", "method"])
def test_what_is_missing_is_said(name):
    with pytest.raises(ConfigError, match=f"the run has no {name}; give it"):
        config_from_json({key: value for key, value in FEWEST.items() if key != name})


def test_a_file_that_is_none_or_no_json_is_said(tmp_path):
    with pytest.raises(InputError, match="give a JSON file that describes a run"):
        read_config(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("{model: m}")
    with pytest.raises(InputError, match="no JSON"):
        read_config(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"the run is \[\]; an object with options is needed"):
        read_config(tmp_path / "run.json")
