"""Which tokens carry loss: the assistant's thinking, answer and end, and nothing else; and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, RowError
from tests.training.templates import GPT_OSS_TEMPLATE, QWEN3_TEMPLATE, QWEN_TEMPLATE, R1_TEMPLATE, make_tokenizer
from training.formatting import TextFormat, Variant, assistant_text
from training.masking import Example, ExampleMaker, find_pad_token

# a family: its template, delimiter profile, end token, and how its assistant's thinking and answer are parted
FAMILIES = {
    "qwen2.5": (QWEN_TEMPLATE, "s1", "<|im_end|>", "<|im_start|>answer"),
    "qwen2.5 with think tags": (QWEN_TEMPLATE, "think", "<|im_end|>", "</think>"),
    "qwen3": (QWEN3_TEMPLATE, "think", "<|im_end|>", "</think>"),
    "gpt-oss": (GPT_OSS_TEMPLATE, "harmony", "<|return|>", "<|end|><|start|>assistant<|channel|>final"),
}
CHANNELS = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>")


def parts(tokenizer: Any, example: Example) -> tuple[str, str, str, str]:
    """The texts before the loss, of thinking, of answer and end, and behind the loss."""
    answer = example.first + example.num_thinking
    spans = ((0, example.first), (example.first, answer), (answer, example.last), (example.last, len(example.ids)))
    return tuple(tokenizer.decode(list(example.ids[start:end])) for start, end in spans)  # type: ignore[return-value]


def family(name: str, variant: Variant = "plain") -> tuple[Any, ExampleMaker]:
    template, profile, end, _ = FAMILIES[name]
    tokenizer = make_tokenizer(template, end=end, others=CHANNELS)
    return tokenizer, ExampleMaker(tokenizer, TextFormat(profile, variant))


def test_loss_is_on_the_assistants_thinking_answer_and_end() -> None:
    tokenizer, maker = family("qwen2.5")
    assert parts(tokenizer, maker.make("How many?", "Three and four.", "7")) == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>think\nThree and four.\n",
        "<|im_start|>answer\nAnswer: 7<|im_end|>",
        "\n",
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("variant", ["plain", "token_conditional", "step_conditional"])
@pytest.mark.parametrize(
    ("question", "thinking", "attempt"),
    [
        ("How many?", "Three and four.", "7"),
        ("assistant think answer", "think\n\nanswer\n\nAnswer: 6? Wait.", "answer Answer: 7"),
        ("Wie viele? cafe\u0301 🙂", "日本語 🧮\n\n\u2028 x\u0301", "Ω\u200d"),
        ("\n\n", "<b>\n\n</b>", ""),
        ("same", "same", "same"),
    ],
)
def test_every_family_learns_thinking_and_answer_alone(
    name: str, variant: Variant, question: str, thinking: str, attempt: str
) -> None:
    tokenizer, maker = family(name, variant)
    example = maker.make(question, thinking, attempt)
    before, thought, answered, behind = parts(tokenizer, example)
    turns = TextFormat(FAMILIES[name][1], variant).conversation(
        question, thinking, attempt, lambda text: len(tokenizer(text)["input_ids"])
    )
    # Qwen's normalizer (NFC) joins letters with their accents
    said = tokenizer.backend_tokenizer.normalizer.normalize_str(turns[-1]["content"])
    end = FAMILIES[name][2]
    assert (thought + answered).removesuffix(end) == said.removesuffix(end)
    assert tokenizer.convert_ids_to_tokens(example.ids[example.last - 1]) == end
    assert answered.startswith(FAMILIES[name][3])
    assert tokenizer.backend_tokenizer.normalizer.normalize_str(question) in before
    assert behind in ("", "\n")
    # the prompt is what the model sees when it is asked
    assert before == tokenizer.apply_chat_template(
        [turn | {"content": tokenizer.backend_tokenizer.normalizer.normalize_str(turn["content"])} for turn in turns][
            :-1
        ],
        tokenize=False,
        add_generation_prompt=True,
    )


def test_labels_are_the_ids_with_loss_at_their_places() -> None:
    _, maker = family("qwen2.5")
    example = maker.make("How many?", "Three and four.", "7")
    labels = example.labels()
    assert len(labels) == len(example.ids)
    assert {place for place, label in enumerate(labels) if label != -100} == set(range(example.first, example.last))
    assert labels[example.first : example.last] == list(example.ids[example.first : example.last])


def test_the_longest_thinking_of_a_row_is_found_where_it_repeats_the_prompt() -> None:
    """What the assistant says may stand in the question too; the assistant's is the later one."""
    tokenizer, maker = family("qwen2.5 with think tags")
    example = maker.make("Say: Hm. Answer: 7", "Say: Hm. Answer: 7", "Say: Hm. Answer: 7")
    assert parts(tokenizer, example)[1:3] == (
        "<think>\nSay: Hm. Answer: 7\n",
        "</think>\n\nSay: Hm. Answer: 7<|im_end|>",
    )


@pytest.mark.parametrize("name", ["qwen3", "gpt-oss", "qwen2.5"])
def test_line_breaks_around_thinking_stay_where_the_template_keeps_them(name: str) -> None:
    tokenizer, maker = family(name)
    _, thought, answered, _ = parts(tokenizer, maker.make("How many?", "\nHm.\n", "7\n"))
    kept = {
        "qwen2.5": ("<|im_start|>think\n\nHm.\n\n", "<|im_start|>answer\nAnswer: 7\n<|im_end|>"),
        "qwen3": ("<think>\nHm.\n", "</think>\n\nAnswer: 7<|im_end|>"),
        "gpt-oss": (
            "<|channel|>analysis<|message|>\nHm.\n",
            "<|end|><|start|>assistant<|channel|>final<|message|>Answer: 7\n<|return|>",
        ),
    }
    assert (thought, answered) == kept[name]


@pytest.mark.parametrize(("size", "first", "last", "num_thinking"), [(5, 5, 5, 0), (10, 10, 10, 0), (12, 10, 12, 2)])
def test_a_block_holds_the_beginning_and_loses_loss_behind_it(
    size: int, first: int, last: int, num_thinking: int
) -> None:
    whole = Example(tuple(range(100, 121)), 10, 20, 6)
    cut = whole.cut(size)
    assert cut == Example(whole.ids[:size], first, last, num_thinking)
    assert len(cut.labels()) == size


def test_a_cut_within_the_answer_leaves_all_thinking() -> None:
    cut = Example(tuple(range(100, 121)), 10, 20, 6).cut(18)
    assert (cut.num_thinking, cut.num_answer) == (6, 2)


@pytest.mark.parametrize("size", [21, 22, 32_768])
def test_a_row_that_fits_is_left_as_it_is(size: int) -> None:
    whole = Example(tuple(range(100, 121)), 10, 20, 6)
    assert whole.cut(size) == whole


@pytest.mark.parametrize("what", ["question", "thinking", "attempt"])
@pytest.mark.parametrize(
    ("profile", "mark"),
    [
        ("s1", "<|im_start|>"),
        ("s1", "<|im_end|>"),
        ("s1", "<|im_start|>think"),
        ("s1", "<|im_start|>answer"),
        ("s1", "<|endoftext|>"),
        ("think", "<think>"),
        ("think", "</think>"),
        # not this profile's delimiter, and still somebody else's turn
        ("think", "<|im_start|>"),
    ],
)
def test_a_row_that_brings_delimiters_or_special_tokens_is_refused(what: str, profile: str, mark: str) -> None:
    maker = ExampleMaker(make_tokenizer(), TextFormat(profile))
    row = {"question": "How many?", "thinking": "Hm.", "attempt": "7"}
    with pytest.raises(RowError) as refused:
        maker.make(**row | {what: f"{row[what]} {mark} more"})
    assert str(refused.value) == f"the {what} holds {mark!r}, which means something to the model; take it out"


@pytest.mark.parametrize("thinking", ["", " \n\t\n"])
def test_a_trace_without_thinking_is_refused(thinking: str) -> None:
    with pytest.raises(RowError, match="the thinking is empty; there is nothing to learn to think from"):
        ExampleMaker(make_tokenizer(), TextFormat()).make("How many?", thinking, "7")


def test_a_template_that_rewrites_one_row_is_refused_at_that_row() -> None:
    maker = ExampleMaker(
        make_tokenizer(QWEN_TEMPLATE.replace("message.content", "message.content.replace('x', 'y')")), TextFormat()
    )
    maker.make("How many?", "Hm.", "7")
    with pytest.raises(RowError, match="the chat template changes what the assistant says"):
        maker.make("How many?", "Hm, x.", "7")


REFUSED_TEMPLATES = {
    "without one": (None, "s1", "the tokenizer has no chat template; give a model with one"),
    "no question": (
        QWEN_TEMPLATE.replace("message.role == 'user' or ", ""),
        "s1",
        "the chat template drops the question",
    ),
    "no thinking": (R1_TEMPLATE, "think", "the chat template drops the thinking block"),
    "an empty block of its own": (
        QWEN3_TEMPLATE,
        "s1",
        "the chat template opens the assistant's turn in another way in training than when it is asked",
    ),
    "rewritten": (
        QWEN_TEMPLATE.replace("message.content", "message.content.replace('answer', 'reply')"),
        "s1",
        "the chat template rewrites the assistant's turn; choose another profile than s1",
    ),
    "doubled where it is asked": (
        QWEN_TEMPLATE.replace("assistant\\n'", "assistant\\n<think>\\n'"),
        "think",
        "the chat template begins a thinking block of its own (<think>), and the text brings one",
    ),
    "doubled in training": (
        QWEN_TEMPLATE.replace(
            "message.role + '\\n' + message.content",
            "message.role + ('\\n<|im_start|>think\\n' if message.role == 'assistant' else '\\n') + message.content",
        ),
        "s1",
        "the chat template begins a thinking block of its own (<|im_start|>think), and the text brings one",
    ),
    "another end": (
        QWEN_TEMPLATE.replace("message.content + '<|im_end|>'", "message.content + '<|endoftext|>'"),
        "s1",
        "the assistant's turn ends with '<|endoftext|>\\n', and the model's end token is '<|im_end|>'",
    ),
    "no end": (
        QWEN_TEMPLATE.replace("message.content + '<|im_end|>'", "message.content"),
        "s1",
        "the assistant's turn ends with '\\n', and the model's end token is '<|im_end|>'",
    ),
    "another family's end": (
        QWEN_TEMPLATE,
        "harmony",
        "the assistant's turn ends with '<|return|>', and the model's end token is '<|im_end|>'",
    ),
    "failing": (
        "{{ raise_exception('no assistants') }}",
        "s1",
        "the chat template fails: no assistants; choose another profile than s1",
    ),
    "no template at all": ("{% for", "s1", "the chat template fails: "),
}


@pytest.mark.parametrize("name", REFUSED_TEMPLATES)
@pytest.mark.parametrize("variant", ["plain", "step_conditional"])
def test_a_template_that_would_train_a_quietly_wrong_model_is_refused(name: str, variant: Variant) -> None:
    template, profile, reason = REFUSED_TEMPLATES[name]
    with pytest.raises(ConfigError) as refused:
        ExampleMaker(make_tokenizer(template), TextFormat(profile, variant))
    message = str(refused.value)
    assert message.startswith(reason)
    assert "\n" not in message


def test_a_tokenizer_without_an_end_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="the tokenizer has no end token; without one a model never learns to stop"):
        ExampleMaker(tokenizer, TextFormat())


def test_a_tokenizer_that_gives_no_offsets_is_refused() -> None:
    from transformers import ByT5Tokenizer

    tokenizer: Any = ByT5Tokenizer()
    tokenizer.chat_template = QWEN_TEMPLATE
    with pytest.raises(ConfigError, match=r"the tokenizer gives no offsets; a fast one \(tokenizer.json\) is needed"):
        ExampleMaker(tokenizer, TextFormat())


def test_rows_are_padded_with_the_papers_token_where_the_tokenizer_has_it() -> None:
    assert find_pad_token(make_tokenizer(), None) == "<|fim_pad|>"


def test_the_tokenizers_own_pad_token_comes_next_and_the_users_first() -> None:
    from tests.inference.models import make_tokenizer as make_plain

    assert find_pad_token(make_plain(), None) == "<|endoftext|>"
    assert find_pad_token(make_tokenizer(), "<|endoftext|>") == "<|endoftext|>"


@pytest.mark.parametrize(
    ("own", "wanted", "error"),
    [
        ("<|im_end|>", None, "the pad token is the end token '<|im_end|>'"),
        ("<|endoftext|>", "<|im_end|>", "the pad token is the end token '<|im_end|>'"),
        ("<|endoftext|>", "<pad>", "pad_token='<pad>' is no token of the tokenizer"),
        (None, None, "the tokenizer has no pad token; give pad_token"),
    ],
)
def test_a_pad_token_that_hides_the_end_is_refused(own: str | None, wanted: str | None, error: str) -> None:
    import copy

    from tests.inference.models import make_tokenizer as make_plain

    tokenizer = copy.deepcopy(make_plain())
    tokenizer.pad_token = own
    with pytest.raises(ConfigError) as refused:
        find_pad_token(tokenizer, wanted)
    assert str(refused.value).startswith(error)


@pytest.mark.real_data
def test_real_rows_begin_to_carry_loss_with_thinking_and_end_with_the_end_token(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "traces.parquet", columns=["question", "thinking_trace", "attempt"])
    rows = [row for row in table.to_pylist() if row["thinking_trace"] and len(row["thinking_trace"]) < 20_000]
    num_refused = 0
    tokenizer = make_tokenizer()
    starts = tokenizer("<|im_start|>think", add_special_tokens=False)["input_ids"]
    maker = ExampleMaker(tokenizer, TextFormat())
    normalize = tokenizer.backend_tokenizer.normalizer.normalize_str
    chosen = rows[:: len(rows) // 150]
    for row in chosen:
        question, thinking, attempt = row["question"], row["thinking_trace"], row["attempt"] or ""
        try:
            example = maker.make(question, thinking, attempt)
        except RowError:
            num_refused += 1
            assert any(
                mark in text for mark in ("<|im_start|>", "<|im_end|>") for text in (question, thinking, attempt)
            )
            continue
        labels = example.labels()
        with_loss = [id_ for id_ in labels if id_ != -100]
        assert with_loss[: len(starts)] == starts
        assert with_loss[-1] == tokenizer.eos_token_id
        assert with_loss.count(tokenizer.eos_token_id) == 1
        assert tokenizer.decode(with_loss[:-1]) == normalize(assistant_text(thinking, attempt))
        without = [id_ for id_, label in zip(example.ids, labels, strict=True) if label == -100]
        assert tokenizer.decode(without[:-1]).endswith(
            f"<|im_start|>user\n{normalize(question)}<|im_end|>\n<|im_start|>assistant\n"
        )
        assert tokenizer.decode(without[-1:]) == "\n"
    assert len(chosen) >= 150
    # a few real attempts hold an end token, and are refused rather than trained on
    assert num_refused < len(chosen) / 20
