"""The model as lm-eval makes and calls it, from Python."""

import json
import subprocess
import sys

import lm_eval as harness
import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM
from lm_eval.tasks import TaskManager

from curation.errors import ConfigError
from inference.lm_eval.model import UnsupportedRequestError, model_class, register
from tests.inference.lm_eval.tasks import NAME, QUESTIONS, ROOT, ids_of, save_model, write_task


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def cache_of_data_sets(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "data_sets")


def evaluate(tmp_path, model, *, task=None, **options):
    """lm-eval's results, and the rows of our log."""
    register()
    folder = write_task(tmp_path / "task", **(task or {}))
    log = tmp_path / "forced.jsonl"
    log.unlink(missing_ok=True)
    results = harness.simple_evaluate(
        model="s1web",
        model_args={"pretrained": str(model), "num_ignore": 1, "samples_log": str(log)},
        tasks=[NAME],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
        **options,
    )
    return results, [json.loads(line) for line in log.open()]


def test_a_cached_response_is_not_generated_again(tmp_path, model):
    first, log = evaluate(tmp_path, model, use_cache=str(tmp_path / "cache"))
    again, log_again = evaluate(tmp_path, model, use_cache=str(tmp_path / "cache"))
    assert (len(log), len(log_again)) == (len(QUESTIONS), 0)
    assert [row["resps"] for row in again["samples"][NAME]] == [row["resps"] for row in first["samples"][NAME]]
    assert again["samples"][NAME][0]["resps"] == [["42"]]


def test_repeats_of_a_task_are_samples_of_their_own(tmp_path, model):
    task = {
        "repeats": 3,
        "generation_kwargs": {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 9.0},
    }
    results, log = evaluate(tmp_path, model, task=task, limit=2)
    (first,) = results["samples"][NAME][0]["resps"]
    assert len(set(first)) == 3
    assert sorted((row["doc_id"], row["repeat"]) for row in log) == [(doc, n) for doc in range(2) for n in range(3)]


def test_what_the_command_line_says_of_generation_forces_it(tmp_path, model):
    _, log = evaluate(tmp_path, model, gen_kwargs={"num_ignore": 3, "max_thinking_tokens": 10}, limit=1)
    (row,) = log
    assert row["thinking"] == "zyWaitzyWaitzyWaitz"
    assert len(ids_of(row["thinking"])) == row["thinking_tokens"] == 10


def test_results_tell_of_the_tokenizer_and_the_context(tmp_path, model):
    results, _ = evaluate(tmp_path, model, limit=1)
    assert results["tokenizer_eos_token"][0] == "<|im_end|>"
    assert results["max_length"] == 512


def test_registering_twice_is_once():
    register()
    register()
    assert harness.api.registry.get_model("s1web") is model_class()


def test_an_unknown_argument_is_told_with_ours_and_the_engines(model):
    with pytest.raises(ConfigError) as refused:
        model_class()(pretrained=str(model), max_thinking_token=5)
    told = str(refused.value)
    assert told.startswith("engine transformers has no option 'max_thinking_token'; allowed: pretrained, ")
    assert {"max_thinking_tokens", "samples_log", "dtype", "max_rows"} <= set(told.replace(",", "").split())


@pytest.mark.parametrize("device", [None, "cuda:0", "cpu"])
def test_the_device_that_lm_eval_names_unasked_is_a_wish(model, device):
    told = model_class()(pretrained=str(model), device=device).get_model_info()["s1web"]
    import torch

    wished = "cuda:0" if device == "cuda:0" and torch.cuda.is_available() else "cpu"
    assert told["engine"]["device"].startswith(wished)


def test_rolling_likelihoods_are_refused_too(model):
    told = r"asks for loglikelihood_rolling, .* output_type generate_until"
    with pytest.raises(UnsupportedRequestError, match=told):
        model_class()(pretrained=str(model)).loglikelihood_rolling([])


def test_a_named_chat_template_is_refused(model):
    with pytest.raises(ConfigError, match="chat template 'tool_use': only the tokenizer's own is used"):
        model_class()(pretrained=str(model)).chat_template("tool_use")


def test_without_lm_eval_the_extra_is_named():
    code = (
        "import sys\nsys.modules['lm_eval'] = None\nimport inference.lm_eval.__main__ as command\n"
        "import inference.export_lm_eval\nsys.exit(command.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("install the extra lm-eval: s1web[lm-eval]")
    assert "Traceback" not in done.stderr


def test_our_modules_load_lm_eval_on_demand_alone():
    code = (
        "import sys, inference.lm_eval.model, inference.lm_eval.__main__, inference.export_lm_eval\n"
        "print([name for name in ('lm_eval', 'torch', 'tqdm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_response_is_in_the_cache_as_soon_as_it_is_there(tmp_path, model):
    lm = model_class()(pretrained=str(model))
    cached = CachingLM(lm, str(tmp_path / "cache.db"))
    asked = Instance("generate_until", {}, ("Q:", {"until": ["!"]}), 0, (NAME, 0, 1))
    # past the wrapper, which keeps responses only once all of them are there
    lm.generate_until([asked], disable_tqdm=True)
    assert list(cached.dbdict.values()) == ["42"]
