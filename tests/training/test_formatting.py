"""The training text, word for word as the specification's section 4 has it."""

from pathlib import Path

import pytest

from tests.training.templates import QWEN_TEMPLATE
from training.formatting import assistant_text, messages, render_qwen, training_text


def test_the_text_of_a_question_and_its_trace() -> None:
    assert training_text("How many?", "Three and four\nare seven.", "7") == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\n"
        "<|im_start|>think\nThree and four\nare seven.\n<|im_start|>answer\nAnswer: 7<|im_end|>\n"
    )


@pytest.mark.parametrize(
    ("attempt", "answer"),
    [
        ("7", "Answer: 7"),
        ("Answer: 7", "Answer: 7"),
        ("It is seven.\n\nAnswer: 7", "It is seven.\n\nAnswer: 7"),
        ("Final Answer:7", "Final Answer:7"),
        ("Answer:", "Answer:"),
        # s1's check is for exactly these letters
        ("answer: 7", "Answer: answer: 7"),
        ("Answer 7", "Answer: Answer 7"),
        ("**Answer**: 7", "Answer: **Answer**: 7"),
        ("", "Answer: "),
        (" 7 ", "Answer:  7 "),
    ],
)
def test_an_answer_is_prefixed_unless_it_says_answer_already(attempt: str, answer: str) -> None:
    assert assistant_text("Hm.", attempt) == f"<|im_start|>think\nHm.\n<|im_start|>answer\n{answer}"


def test_texts_are_neither_stripped_nor_escaped() -> None:
    thinking = "\n  <b> {{ x }} \\n é\u2028 \n"
    assert assistant_text(thinking, "7") == f"<|im_start|>think\n{thinking}\n<|im_start|>answer\nAnswer: 7"


def test_the_conversation_is_one_question_and_one_reply() -> None:
    assert messages("Q?", "T", "A") == [
        {"role": "user", "content": "Q?"},
        {"role": "assistant", "content": "<|im_start|>think\nT\n<|im_start|>answer\nAnswer: A"},
    ]


def test_a_given_chat_template_takes_the_place_of_qwens() -> None:
    rendered = training_text("Q?", "T", "A", lambda turns: "|".join(turn["role"] for turn in turns))
    assert rendered == "user|assistant"


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_the_built_in_template_equals_qwens_own(tmp_path: Path, system: str | None) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
    conversation = messages("How\nmany <|x|>?", "Hm.\n", "7")
    if system is not None:
        conversation.insert(0, {"role": "system", "content": system})
    expected = tokenizer.apply_chat_template(conversation, chat_template=QWEN_TEMPLATE, tokenize=False)
    assert render_qwen(conversation) == expected
    # rendering leaves the conversation as it was
    assert len(conversation) == (2 if system is None else 3)
