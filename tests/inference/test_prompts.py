"""Prompts: what a model is asked, to the id."""

import hashlib

import pytest

from curation.errors import ConfigError
from inference.benchmarks import Problem
from inference.delimiters import find_profile
from inference.prompts import PromptBuilder, question_text
from tests.inference.models import make_tokenizer
from tests.inference.settings import ids_of
from training.formatting import render_qwen

CHATML = (
    "{% for turn in messages %}<|im_start|>{{ turn['role'] }}\n{{ turn['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CHOICES = Problem("g", "Which one?", "B", ("1 eV", "2 eV", "5 eV"))


class Chatting:
    """The small tokenizer with a chat template of its own."""

    def __init__(self, template):
        self.chat_template = template

    def __getattr__(self, name):
        return getattr(make_tokenizer(), name)

    def apply_chat_template(self, conversation, **options):
        return make_tokenizer().apply_chat_template(conversation, chat_template=self.chat_template, **options)


def builder(template=None, *, chat=CHATML, profile="s1", **options):
    return PromptBuilder(Chatting(chat), find_profile(profile), template=template, **options)


@pytest.mark.parametrize(
    ("problem", "instruction", "text"),
    [
        (Problem("a", "Why?", "7"), "", "Why?"),
        (Problem("a", "Why?", "7"), "Think for up to 4 steps.", "Why?\n\nThink for up to 4 steps."),
        (CHOICES, "", "Which one?\n\nA) 1 eV\nB) 2 eV\nC) 5 eV"),
        (CHOICES, "Think.", "Which one?\n\nA) 1 eV\nB) 2 eV\nC) 5 eV\n\nThink."),
    ],
)
def test_a_question_is_worded_as_in_the_released_evaluation(problem, instruction, text):
    assert question_text(problem, instruction) == text


def test_a_question_with_more_choices_than_letters_says_so():
    with pytest.raises(ConfigError, match="problem 'many' has 27 choices; 26 at most are allowed"):
        question_text(Problem("many", "Which?", "A", tuple(map(str, range(27)))))


def test_the_chat_template_goes_around_the_question_and_thinking_begins():
    prompt = builder().build(Problem("a", "12 + 30", "42"))
    assert prompt.text == "<|im_start|>user\n12 + 30<|im_end|>\n<|im_start|>assistant\n"
    assert prompt.ids == ids_of(prompt.text) + ids_of("<|im_start|>think")
    assert prompt.sha256 == hashlib.sha256(prompt.text.encode()).hexdigest()


def test_the_prompt_begins_as_the_text_that_the_model_was_trained_on():
    turns = [{"role": "user", "content": "12 + 30"}]
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    prompt = builder(system=system).build(Problem("a", "12 + 30", "42"))
    assert prompt.text == render_qwen(turns) + "<|im_start|>assistant\n"


def test_a_prompt_that_asks_for_an_answer_alone_has_no_start_of_thinking():
    problem = Problem("a", "12 + 30", "42")
    prompt = builder().build(problem, starts_thinking=False)
    assert prompt.ids == ids_of(prompt.text)
    assert prompt.sha256 == builder().build(problem).sha256


def test_a_template_of_ones_own_may_hold_braces_and_so_may_the_question():
    made = builder("\\boxed{} it: {problem}\n").build(Problem("a", "{0} and {problem}?", "7"))
    assert made.text == "\\boxed{} it: {0} and {problem}?\n"


def test_start_and_prompt_are_encoded_apart():
    """The tokenizer would merge letters over the border, and the model was never trained on that."""
    made = builder("{problem}a", profile="s1").build(Problem("a", "12", "7"))
    assert made.ids[-len(ids_of("<|im_start|>think")) :] == ids_of("<|im_start|>think")
    assert make_tokenizer().decode(made.ids) == "12a<|im_start|>think"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"template": "What is it?"}, "template 'What is it?' drops the problem; it has to hold {problem}"),
        ({"chat": "<|im_start|>user\nhello<|im_end|>"}, "the tokenizer's chat template drops the problem"),
        ({"chat": None}, "the tokenizer has no chat template; give a template with {problem}"),
        ({"template": "{problem}", "system": "Be brief."}, "a system message needs the tokenizer's chat template"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(options, said):
    with pytest.raises(ConfigError) as caught:
        builder(**options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_that_begins_thinking_itself_is_not_made_to_begin_it_twice():
    opening = CHATML.replace("assistant\n", "assistant\n<think>\n")
    problem = Problem("a", "12 + 30", "42")
    prompt = builder(chat=opening, profile="think").build(problem)
    assert prompt.text.endswith("<|im_start|>assistant\n<think>\n")
    assert prompt.ids == ids_of(prompt.text)
    # a question that ends so is no template that does
    plain = builder("{problem}", profile="think").build(Problem("a", "What is <think>", "7"))
    assert plain.ids == ids_of("What is <think>") + ids_of("<think>\n")
    with pytest.raises(ConfigError, match="the template begins thinking by itself, and an answer alone is asked for"):
        builder(chat=opening, profile="think").build(problem, starts_thinking=False)


def test_a_run_records_version_template_and_system_message():
    assert builder(system="Be brief.").describe() == {"version": 1, "template": "chat", "system": "Be brief."}
    assert builder("Q: {problem}").describe()["template"] == "Q: {problem}"
