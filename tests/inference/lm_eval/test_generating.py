"""lm-eval's requests under budget forcing, asked in this process."""

import json
from dataclasses import replace

import pytest
from lm_eval.api.instance import Instance

from curation.errors import ConfigError, InputError
from inference.engines.transformers import TransformersEngine
from inference.lm_eval.arguments import model_arguments
from inference.lm_eval.generating import GenerationFailedError, Generator
from tests.inference.lm_eval.tasks import TEMPLATE, ids_of, looping_table
from tests.inference.models import make_tokenizer, transition_model


@pytest.fixture(scope="module")
def engine():
    return TransformersEngine(transition_model(looping_table(), context_tokens=512), make_tokenizer())


def make_generator(engine, **values):
    tokenizer = make_tokenizer()
    arguments = model_arguments({"pretrained": "loop"} | values)
    return Generator(arguments, engine, tokenizer, eos_ids=(tokenizer.eos_token_id,))


def instance(context="1 + 41 = ?\n", doc_id=0, **values):
    values = {"until": ["!"], "max_gen_toks": 20} | values
    return Instance("generate_until", {}, (context, values), 0, ("sums", doc_id, 1))


def rows_of(path):
    return [json.loads(line) for line in path.open()]


def thinking_ids(row):
    end = next(event["offset"] for event in row["events"] if event["kind"] in ("natural_end", "forced_end"))
    return row["ids"][:end]


@pytest.mark.parametrize("cap", [0, 1, 4, 7])
def test_thinking_never_exceeds_the_cap_by_the_ids_themselves(engine, tmp_path, cap):
    log = tmp_path / "log.jsonl"
    generator = make_generator(engine, max_thinking_tokens=cap, num_ignore=9, samples_log=str(log))
    generator.generate([instance()])
    (row,) = rows_of(log)
    assert len(thinking_ids(row)) == cap == row["thinking_tokens"]
    assert generator.totals["forced_ends"] == 1


@pytest.mark.parametrize("num_ignore", [0, 1, 3])
def test_each_suppressed_end_puts_in_the_next_string(engine, tmp_path, num_ignore):
    log = tmp_path / "log.jsonl"
    strings = ["Wait", "Hmm"]
    make_generator(engine, num_ignore=num_ignore, ignore_strings=strings, samples_log=str(log)).generate([instance()])
    (row,) = rows_of(log)
    assert row["thinking"] == "zy" + "".join(f"{strings[n % 2]}zy" for n in range(num_ignore))


def test_a_task_may_force_otherwise_than_the_model_does(engine, tmp_path):
    log = tmp_path / "log.jsonl"
    generator = make_generator(engine, num_ignore=1, samples_log=str(log))
    generator.generate(
        [instance(doc_id=0), instance(doc_id=1, num_ignore=2), instance(doc_id=2, max_thinking_tokens=1)]
    )
    waits = {row["doc_id"]: row["thinking"].count("Wait") for row in rows_of(log)}
    assert waits == {0: 1, 1: 2, 2: 0}


@pytest.mark.parametrize(
    ("until", "response"),
    [
        (["!"], "42"),
        (["2"], "4"),
        (["nowhere", "2", "4"], ""),
        ("2!", "4"),
        # the line end that opens the answer is no stop
        (["\n"], "42" + "!" * 17),
        ([], "42" + "!" * 17),
        # thinking is full of it
        (["z"], "42" + "!" * 17),
    ],
)
def test_the_answer_goes_up_to_the_first_stop_and_thinking_knows_none(engine, until, response):
    assert make_generator(engine).generate([instance(until=until)]) == [response]


def test_a_stop_that_ids_can_tell_ends_the_generation_there(engine, tmp_path):
    log = tmp_path / "log.jsonl"
    generator = make_generator(engine, samples_log=str(log))
    generator.generate([instance(until=["2"], max_gen_toks=200)])
    (row,) = rows_of(log)
    assert row["ids"][-1] == ids_of("4")[0]
    assert row["finish_reason"] == "stop"


@pytest.mark.parametrize("name", ["max_gen_toks", "max_new_tokens", "max_tokens"])
def test_the_length_that_lm_eval_asks_for_is_the_answers(engine, tmp_path, name):
    log = tmp_path / "log.jsonl"
    asked = instance(num_ignore=4, until=[], **{"max_gen_toks": None, name: 5})
    make_generator(engine, samples_log=str(log)).generate([asked])
    (row,) = rows_of(log)
    assert (row["answer_tokens"], row["finish_reason"]) == (5, "answer_length")
    assert row["thinking_tokens"] > 5


def test_a_forced_answer_is_what_lm_eval_reads(engine):
    (response,) = make_generator(engine, max_thinking_tokens=0).generate([instance()])
    assert response == "Final Answer:42"


def test_responses_stand_in_the_order_of_the_requests_whatever_ends_first(engine):
    asked = [instance(doc_id=0, until=[], max_gen_toks=100, num_ignore=9), instance(doc_id=1), instance(doc_id=2)]
    finished = []
    responses = make_generator(engine).generate(asked, lambda one, response: finished.append((one.doc_id, response)))
    assert responses == ["42" + "!" * 97, "42", "42"]
    assert finished[-1] == (0, responses[0])
    assert dict(finished) == dict(enumerate(responses))


def test_repeats_of_a_document_are_drawn_apart_and_the_same_again(engine, tmp_path):
    def draw(name):
        generator = make_generator(engine, seed=3, samples_log=str(tmp_path / name))
        asked = instance(temperature=8.0, do_sample=True, max_thinking_tokens=20)
        responses = generator.generate([asked, asked]) + generator.generate([asked])
        return responses, [row["ids"] for row in sorted(rows_of(tmp_path / name), key=lambda row: row["repeat"])]

    responses, ids = draw("first")
    assert len({tuple(each) for each in ids}) == 3
    assert draw("second") == (responses, ids)


def test_do_sample_false_is_greedy_whatever_the_temperature(engine, tmp_path):
    log = tmp_path / "log.jsonl"
    make_generator(engine, samples_log=str(log)).generate([instance(do_sample=False, temperature=8.0)])
    assert rows_of(log)[0]["sampling"]["temperature"] == 0.0


def test_a_prompt_that_begins_thinking_is_given_no_second_start(engine, tmp_path):
    log = tmp_path / "log.jsonl"
    generator = make_generator(engine, samples_log=str(log))
    generator.generate([instance("Q\n"), instance("Q\n<|im_start|>think\n", doc_id=1)])
    tokens = {row["doc_id"]: row["prompt_tokens"] for row in rows_of(log)}
    assert tokens[1] == len(ids_of("Q\n<|im_start|>think\n")) == tokens[0] + len(ids_of("\n"))


def test_without_thinking_the_first_token_is_the_answers(engine, tmp_path):
    log = tmp_path / "log.jsonl"
    make_generator(engine, starts_thinking=False, samples_log=str(log)).generate([instance("Q:")])
    (row,) = rows_of(log)
    assert (row["thinking_tokens"], row["response"]) == (0, "42")
    assert row["prompt_tokens"] == len(ids_of("Q:"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_beams": 4}, "task sums, document 0: generation_kwargs has the unknown option 'num_beams'"),
        ({"until": 3}, "until=3; a text or a list of texts is allowed"),
        ({"do_sample": True}, "do_sample=True without a temperature"),
        ({"temperature": "hot"}, "temperature='hot'; a number is needed"),
        ({"max_gen_toks": 0}, "max_answer_tokens=0; a whole number of 1 or more is allowed"),
        ({"max_thinking_tokens": 5000}, "max_thinking_tokens=5000 leaves no room to answer"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_before_any_is(engine, tmp_path, values, message):
    log = tmp_path / "log.jsonl"
    with pytest.raises(ConfigError) as refused:
        make_generator(engine, samples_log=str(log)).generate([instance(doc_id=7), instance(**values)])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert rows_of(log) == []


def test_a_request_that_the_engine_cannot_serve_ends_the_evaluation_and_says_which(engine):
    generator = make_generator(engine)
    # an id that the model has no row for: the engine refuses it, and nothing before it can know
    generator._delimiters = replace(generator._delimiters, start=(9999,))
    with pytest.raises(GenerationFailedError, match=r"^task sums, document 4: the prompt holds id 9999"):
        generator.generate([instance(doc_id=4)])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pretrained": None}, "pretrained=None; --model_args needs pretrained=NAME"),
        ({"engine": "hf"}, "engine='hf' is unknown; allowed: transformers, vllm, openai"),
        ({"profile": "qwen"}, "delimiter profile 'qwen' is unknown; allowed: s1, think, harmony"),
        ({"seed": -1}, "seed=-1; a whole number of 0 or more is allowed"),
        ({"batch_size": 8}, "batch_size=8 is not used; give max_rows in --model_args instead"),
        ({"num_ignore": "many"}, "num_ignore='many'; a whole number of 0 or more is allowed"),
    ],
)
def test_a_model_argument_that_cannot_be_used_says_what_can(values, message):
    with pytest.raises(ConfigError) as refused:
        model_arguments({"pretrained": "loop"} | values)
    assert message in str(refused.value)


def test_what_is_left_of_the_arguments_is_the_engines():
    values = {"pretrained": "loop", "batch_size": 1, "dtype": "bfloat16", "max_rows": 8, "ignore_strings": "Hmm"}
    arguments = model_arguments(values)
    assert arguments.engine_options == {"dtype": "bfloat16", "max_rows": 8}
    assert arguments.forcing.ignore_strings == ("Hmm",)


def test_a_profile_of_ones_own_is_an_object(engine):
    profile = {"name": "mine", "start": "A", "ends": ["y"], "answer": "B", "stops": ["!"]}
    generator = make_generator(engine, profile=profile)
    assert generator.arguments.profile.ends == ("y",)


def test_a_log_that_cannot_be_written_is_said_at_once(engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a file that can be written"):
        make_generator(engine, samples_log=str(tmp_path / "file" / "log.jsonl"))


class TestChatTemplate:
    @pytest.fixture
    def generator(self, engine, monkeypatch):
        monkeypatch.setattr(make_tokenizer(), "chat_template", TEMPLATE)
        return make_generator(engine)

    def test_the_tokenizers_own_template_is_written(self, generator):
        text = generator.render([{"role": "user", "content": "Q"}], add_generation_prompt=True)
        assert text == "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"

    def test_a_task_that_begins_the_answer_is_refused_as_thinking_comes_first(self, generator):
        history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "The answer is"}]
        with pytest.raises(ConfigError, match="the task has a gen_prefix, which begins the answer before"):
            generator.render(history, add_generation_prompt=False)

    def test_without_thinking_the_begun_answer_is_gone_on_with(self, generator):
        arguments = generator.arguments
        generator.arguments = replace(arguments, forcing=replace(arguments.forcing, starts_thinking=False))
        history = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "The answer is"}]
        text = generator.render(history, add_generation_prompt=False)
        assert text.endswith("<|im_start|>assistant\nThe answer is")

    def test_a_tokenizer_without_one_is_named(self, engine):
        with pytest.raises(ConfigError, match="the tokenizer has no chat template; leave out --apply_chat_template"):
            make_generator(engine).render([{"role": "user", "content": "Q"}], add_generation_prompt=True)
