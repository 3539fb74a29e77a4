"""`manage.py evaluate` and `curve`: what is asked, what is kept, and what is refused."""

import json

import pytest

from inference.evaluation.folder import SAMPLES, SUMMARY, read_json, read_jsonl
from s1web.experiments.models import EvaluationRun, Sample
from s1web.experiments.queries import read_line
from tests.s1web.command_line import command
from tests.s1web.experiments.conftest import NUM_PROBLEMS, TEMPLATE, write_sums

__all__ = ["command"]


def the_run() -> EvaluationRun:
    return EvaluationRun.objects.get()


def lines(run):
    return {row["key"]: row for row in read_jsonl(run.folder / SAMPLES)}


def assert_in_step(run):
    """Every line of the file has its row, and every row its line."""
    run.refresh_from_db()
    kept = lines(run)
    samples = list(run.samples.all())
    assert sorted(f"{sample.problem_key}/{sample.repeat}" for sample in samples) == sorted(kept)
    assert (run.num_done, run.num_failed) == (len(kept), sum(row["error"] is not None for row in kept.values()))
    assert run.synced_bytes == (run.folder / SAMPLES).stat().st_size
    for sample in samples:
        assert read_line(sample) == kept[f"{sample.problem_key}/{sample.repeat}"]


def test_a_run_and_its_samples_are_kept_as_the_files_have_them(command, words, artifact_dir, tiny_model, sums):
    printed = command(
        *words, "--num-ignore", 1, "--repeats", 2, "--temperature", 0.7, "--name", "first", "--json"
    ).json
    run = the_run()
    assert printed["run"] == run.name == "first"
    assert printed["folder"] == str(run.folder) == str(artifact_dir / "evaluations" / "first")
    assert (printed["num_done"], printed["num_trials"], printed["is_complete"]) == (16, 16, True)
    assert run.summary == read_json(run.folder / SUMMARY)
    assert run.summary["accuracy"] == printed["accuracy"]
    assert (run.num_trials, run.is_complete) == (16, True)
    assert run.finished_at is not None
    assert (run.model, run.benchmark) == (str(tiny_model), "sums")
    assert run.config["sampling"]["temperature"] == 0.7
    assert run.method["forcing"]["num_ignore"] == 1
    assert run.method["forcing"]["max_answer_tokens"] == 8
    described = read_json(run.folder / "run.json")
    assert run.config == described["config"]
    assert run.benchmark_sha256 == described["benchmark"]["sha256"]
    assert (run.model_sha256, run.tokenizer_sha256) == (described["model_sha256"], described["tokenizer_sha256"])
    assert [engine["engine"] for engine in run.engines] == ["transformers"]
    assert_in_step(run)
    for sample in run.samples.all():
        line = read_line(sample)
        candidate = line["candidates"][line["chosen"]]
        assert (sample.is_right, sample.grade_rule) == (line["grade"]["is_right"], line["grade"]["rule"])
        assert (sample.parse_rule, sample.answer) == (candidate["rule"], candidate["answer"])
        assert (sample.thinking_tokens, sample.answer_tokens) == (line["thinking_tokens"], line["answer_tokens"])
        assert (sample.hit_cap, sample.seconds, sample.error) == (line["hit_cap"], line["seconds"], "")
        assert line["samples"][0]["ids"]


def test_a_benchmark_of_the_database_goes_before_a_file_and_is_known_by_its_content(command, words, sums, tmp_path):
    command(*words, "--name", "from-file", "--json").json  # noqa: B018
    command("load_benchmark", sums, "--name", "sums")
    printed = command(*words, "--benchmark", "sums", "--name", "from-database", "--json").json
    assert printed["num_done"] == NUM_PROBLEMS
    first, second = EvaluationRun.objects.order_by("pk")
    assert second.config["benchmark"] == "sums"
    assert first.benchmark_sha256 == second.benchmark_sha256
    assert read_json(second.folder / "run.json")["benchmark"]["source"] == "database"
    # a known name that was loaded is the loaded one: nothing is fetched
    command("load_benchmark", write_sums(tmp_path / "two.jsonl", 2), "--name", "math500")
    assert command(*words, "--benchmark", "math500", "--json").json["num_problems"] == 2


def test_the_same_command_again_does_nothing_anew(command, words):
    first = command(*words, "--json").json
    run = the_run()
    assert run.name == first["run"]
    assert run.name.startswith("tiny-sums-budget_forcing-cap12-seed0-")
    before = (run.folder / SAMPLES).read_bytes()
    rows = list(run.samples.order_by("pk").values())
    finished = run.finished_at
    second = command(*words, "--json").json
    assert second["session_seconds"] >= 0
    assert {**first, "session_seconds": 0} == {**second, "session_seconds": 0}
    run = the_run()
    assert (run.folder / SAMPLES).read_bytes() == before
    assert list(run.samples.order_by("pk").values()) == rows
    assert run.finished_at == finished
    assert len(run.engines) == 1


def test_the_name_says_what_a_run_is_and_tells_runs_apart(command, words):
    names = set()
    for more in ([], ["--seed", 4], ["--max-thinking-tokens", 5], ["--num-ignore", 2], ["--limit", 3]):
        found = command(*words, *more, "--json").json["run"]
        assert found.startswith("tiny-sums-budget_forcing-")
        names.add(found)
    assert len(names) == 5
    assert any("-cap5-seed0" in name for name in names)
    assert any("-cap12-wait2-seed0" in name for name in names)
    assert any("-cap12-seed4" in name for name in names)


def test_options_reach_the_run_and_override_its_file(command, words, tmp_path):
    command(
        *words,
        *("--ignore-string", "Hmm", "--ignore-string", "", "--num-ignore", 2, "--limit", 2, "--seed", 7),
        *("--engine-option", "max_rows=3", "--engine-option", "dtype=float32", "--profile", "s1"),
        *("--template", "Say: {problem}", "--name", "options"),
    )
    config = the_run().config
    assert config["method"]["forcing"]["ignore_strings"] == ["Hmm", ""]
    assert config["engine_options"] == {"max_rows": 3, "dtype": "float32"}
    assert (config["limit"], config["seed"], config["template"]) == (2, 7, "Say: {problem}")
    path = tmp_path / "again.json"
    path.write_text(json.dumps(config))
    printed = command("evaluate", "--config", path, "--name", "options", "--json").json
    assert printed["is_complete"]
    assert EvaluationRun.objects.count() == 1
    command("evaluate", "--config", path, "--seed", 8, "--name", "other", "--json").json  # noqa: B018
    other = EvaluationRun.objects.get(name="other").config
    assert other == config | {"seed": 8}


def test_methods_take_the_options_that_are_theirs(command, words, tiny_model, sums, settings_file):
    start = ["evaluate", "--config", settings_file, "--model", tiny_model, "--benchmark", sums, "--limit", 1]
    command(
        *start,
        *("--method", "majority_voting", "--set", "num_samples=3", "--temperature", 0.5),
        *("--max-thinking-tokens", 4, "--set", "forcing.max_answer_tokens=4", "--name", "votes"),
    )
    votes = EvaluationRun.objects.get(name="votes").config
    assert (votes["method"]["num_samples"], votes["method"]["temperature"]) == (3, 0.5)
    assert votes["sampling"]["temperature"] == 0
    assert len(read_line(Sample.objects.get())["samples"]) == 3
    command(
        *start,
        *("--method", "rejection_sampling", "--max-thinking-tokens", 4, "--set", "max_attempts=2"),
        *("--set", "max_answer_tokens=4", "--name", "rejection"),
    )
    rejection = EvaluationRun.objects.get(name="rejection").config
    assert rejection["method"]["max_thinking_tokens"] == 4


def test_a_run_may_be_shown_to_a_person(command, words):
    shown = command(*words, "--name", "shown")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("run          shown\n8 of 8 done\n")
    assert "thinking     12 tokens" in shown.out or "thinking" in shown.out


# --- refused ---


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--method", "guess"], "method 'guess' is unknown; allowed: none, budget_forcing, token_conditional, "),
        (["--max-thinking-tokens", "-1"], "max_thinking_tokens=-1; a whole number of 0 or more is allowed"),
        (["--profile", "nobody"], "delimiter profile 'nobody' is unknown; allowed: s1, think, harmony"),
        (
            ["--benchmark", "nothing"],
            "no benchmark 'nothing'; loaded here: none (see load_benchmark), known: aime24, ",
        ),
        (["--engine", "abacus"], "engine='abacus' is unknown; allowed: transformers, vllm, openai"),
        (["--engine-option", "rows=3"], "engine transformers has no option 'rows'; allowed: dtype, "),
        (["--engine-option", "rows"], "--engine-option 'rows' cannot be read; write KEY=VALUE"),
        (["--set", "forcing.waits=3"], "budget forcing has the unknown option 'waits'; allowed: "),
        (["--set", "num_samples=3"], "method budget_forcing has the unknown option 'num_samples'; allowed: "),
        (["--method", "none", "--num-ignore", "1"], "method none takes no --max-thinking-tokens; leave it out, "),
        (["--model", "/no/such/model"], "tokenizer '/no/such/model' cannot be loaded: "),
        (["--config", "/no/such/run.json"], "/no/such/run.json: No such file or directory; give a JSON file"),
        (["--repeats", "0"], "repeats=0; a whole number of 1 or more is allowed"),
        (["--temperature", "-1"], "temperature=-1.0; 0 (greedy) or a positive number is allowed"),
        (["--template", "no place"], "template 'no place' drops the problem; it has to hold {problem} "),
        (["--name", "../elsewhere"], "--name '../elsewhere' names no run; give 1 to 120 letters, "),
        (["--max-thinking-tokens", "5000"], "max_thinking_tokens=5000 leaves no room to answer: "),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_and_leaves_nothing(command, words, artifact_dir, more, line):
    assert command(*words, *more).refusal.startswith(line)
    assert not EvaluationRun.objects.exists()
    assert not (artifact_dir / "evaluations").exists()


def test_a_benchmark_without_answers_is_refused_from_a_file_and_from_the_database(command, words, tmp_path):
    path = write_sums(tmp_path / "bare.jsonl", 2, answer="")
    refused = command(*words, "--benchmark", path).refusal
    assert refused == f"{path}, row 1: answer is empty; nothing can be graded without one"
    command("load_benchmark", path, "--name", "bare")
    refused = command(*words, "--benchmark", "bare").refusal
    assert refused == (
        "benchmark bare: database, problem 'p00': answer is empty; nothing can be graded without one; "
        "load it again with load_benchmark"
    )


def test_a_profile_whose_delimiter_is_not_in_the_tokenizer_is_refused(command, words, settings_file):
    # the tokenizer composes letters: e with an accent behind it becomes one
    own = {"name": "own", "start": "<|im_start|>think", "ends": ["fe\u0301"], "answer": "fe\u0301", "stops": []}
    settings_file.write_text(json.dumps({"profile": own, "template": TEMPLATE}))
    refused = command(*words).refusal
    assert refused.startswith("delimiter profile 'own' cannot be built: ")
    assert " is not in the tokenizer: its ids " in refused
    assert not EvaluationRun.objects.exists()


@pytest.mark.parametrize("missing", ["model", "benchmark", "method"])
def test_what_a_run_cannot_do_without_is_asked_for(command, tiny_model, sums, missing):
    given = {"model": tiny_model, "benchmark": sums, "method": "none"}
    words = [word for name, value in given.items() if name != missing for word in (f"--{name}", value)]
    assert command("evaluate", *words).refusal == (
        f"no {missing} is given; give --{missing}, or a --config that has one"
    )


def test_a_name_keeps_to_its_run(command, words, sums):
    command(*words, "--name", "mine")
    before = list(Sample.objects.values())
    refused = command(*words, "--name", "mine", "--seed", 1).refusal
    assert refused == "run mine is another one: config.seed is 0, and 1 is asked for; give another --name"
    write_sums(sums, 3)
    refused = command(*words, "--name", "mine").refusal
    assert refused == "run mine is another one: its benchmark sums held other problems; give another --name"
    assert list(Sample.objects.values()) == before


def test_rows_are_not_thrown_away_because_the_files_are_elsewhere(command, words, settings, tmp_path):
    command(*words, "--name", "mine")
    settings.ARTIFACT_DIR = tmp_path / "elsewhere"
    refused = command(*words, "--name", "mine").refusal
    assert refused.startswith("run mine has 8 samples and no files at ")
    assert refused.endswith("/elsewhere/evaluations/mine; put them back, set ARTIFACT_DIR, or give another --name")
    assert Sample.objects.count() == NUM_PROBLEMS


# --- curve ---


def test_a_curve_takes_names_of_runs_and_folders(command, words):
    for cap in (2, 12):
        command(*words, "--max-thinking-tokens", cap, "--name", f"cap{cap}")
    folder = EvaluationRun.objects.get(name="cap12").folder
    # random models answer nothing that can be graded: say that they were right here and there
    for name in ("cap2", "cap12"):
        path = EvaluationRun.objects.get(name=name).folder / SAMPLES
        rows = list(read_jsonl(path))
        for row in rows:
            row["grade"] = {"is_right": row["problem"] in ("p01", "p02") or name == "cap12", "rule": "text"}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    printed = command("curve", "cap2", folder, "--json").json
    points = {point["run"]: point for point in printed["arms"]["all"]["points"]}
    assert points["cap2"]["accuracy"]["value"] == 2 / NUM_PROBLEMS
    assert points["cap12"]["accuracy"]["value"] == 1.0
    assert points["cap12"]["thinking_tokens"]["value"] > points["cap2"]["thinking_tokens"]["value"]
    assert printed["arms"]["all"]["scaling"]["value"] > 0
    assert command("curve", "cap2", "cap12", "--seed", 3, "--json").json["num_problems"] == NUM_PROBLEMS
    shown = command("curve", "cap2", "cap12")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0].split() == ["run", "thinking", "tokens", "accuracy", "%"]
    assert "[" in shown.out, "intervals must not be taken for markup"


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        (["nobody"], "no run 'nobody' (there: none yet), and no folder either; give names or folders"),
        (["."], "run.json: No such file or directory; give the folder of a run"),
    ],
)
def test_a_curve_of_what_is_no_run_is_refused_in_one_line(command, runs, line):
    assert command("curve", *runs).refusal == line


def test_paths_are_absolute_and_names_stay(command, tiny_model, sums, monkeypatch):
    monkeypatch.chdir(tiny_model.parent)
    words = ["evaluate", "--model", "tiny", "--benchmark", sums.name, "--method", "none", "--enqueue", "--json"]
    # no such file from here: it stays as it is, and is refused
    assert command(*words).refusal.startswith("no benchmark 'sums.jsonl'; ")
    monkeypatch.chdir(sums.parent)
    words[2] = "../" * 20 + str(tiny_model).lstrip("/")
    queued = command(*words, "--tokenizer", tiny_model, "--reward-model", "some/reward").json["params"]["config"]
    assert queued["benchmark"] == str(sums)
    assert queued["model"].startswith("/")
    assert (queued["tokenizer"], queued["reward_model"]) == (str(tiny_model), "some/reward")
    # the name of a model that is served is no path, whatever lies here
    (sums.parent / "served").mkdir()
    monkeypatch.chdir(sums.parent)
    words[2] = "served"
    assert command(*words, "--engine", "openai").json["params"]["config"]["model"] == "served"


def test_the_template_is_part_of_the_run(command, words):
    command(*words, "--name", "asked", "--limit", 1)
    (prompt,) = read_jsonl(the_run().folder / "prompts.jsonl")
    assert prompt["text"] == TEMPLATE.format(problem="0 + 1 = ?")
