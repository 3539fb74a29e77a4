"""A small model that really thinks: it follows a chain of operations step by step, and more steps make it right.

Its traces stop after a few steps, so that long problems are thought about too little; a part of them is cut anywhere,
so that a forced answer is nothing new to it; and after "Wait" they go a step further, or check the last one again.
"""

import json
import math
import random

MODULUS, LABELS = 5, "abcde"
OPERATIONS = {
    "+": lambda value, number: (value + number) % MODULUS,
    "-": lambda value, number: (value - number) % MODULUS,
    "*": lambda value, number: (value * number) % MODULUS,
}
# steps after which a trace of training answers, however long the chain
MOST_STEPS = 3
SHARE_CUT, SHARE_WAIT = 0.25, 0.45
SHAPE = {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4}
BATCH, RATE, BETAS = 32, 4e-3, (0.9, 0.98)
# behind a forced end the model is given what it was trained to answer behind
FORCED_ANSWER = "\nAnswer:"


def make_problem(rng):
    """(question, the steps of its solution, its answer)."""
    value = rng.randrange(MODULUS)
    question, steps = f"={value}", []
    for label in LABELS[: rng.randint(2, len(LABELS))]:
        sign, number = rng.choice("+-*"), rng.randint(1, MODULUS - 1)
        question += f" {label}{sign}{number}"
        result = OPERATIONS[sign](value, number)
        # what the step goes on from stands in it again: so it is learned in a minute
        steps.append(f" {label}{value}{sign}{number}={result}")
        value = result
    return question, steps, value


def make_trace(rng, steps):
    """What is thought about it."""
    count = rng.randint(1, len(steps)) if rng.random() < SHARE_CUT else min(len(steps), MOST_STEPS)
    text = "".join(steps[:count])
    while rng.random() < SHARE_WAIT:
        text += "\nWait" + (steps[count] if count < len(steps) else " " + steps[-1].rpartition(" ")[2])
        count = min(count + 1, len(steps))
    return text


def write_problems(path, count, *, seed):
    """Unseen problems as a benchmark."""
    rng = random.Random(seed)
    with path.open("w") as file:
        for number in range(count):
            question, _, answer = make_problem(rng)
            file.write(json.dumps({"id": f"chain{number:03d}", "problem": question, "answer": str(answer)}) + "\n")
    return path


def train(folder, *, num_steps, seed=0):
    """Train a model from nothing and save it with its tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    rng = random.Random(seed)
    tokenizer = make_tokenizer(rng)
    torch.manual_seed(seed)
    # tests run side by side: threads that wait for a core make each other slower by far
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            num_key_value_heads=2,
            # with the usual 0.02 it learns nothing in this time
            initializer_range=0.08,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",
            **SHAPE,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=BETAS, weight_decay=0.01, fused=True)
    # a warm-up, then a cosine to nearly nothing
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 50) * (0.03 + 0.485 * (1 + math.cos(math.pi * step / num_steps))),
    )
    model.train()
    for inputs, labels in _batches(rng, tokenizer, num_steps):
        hidden = model.model(input_ids=inputs).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted != -100]), wanted[wanted != -100])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    torch.set_num_threads(num_threads)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _batches(rng, tokenizer, count):
    """Rows of about one length together, the prompt without loss."""
    import torch

    ready = []
    for _ in range(count):
        if not ready:
            rows = sorted(
                (_row(rng, tokenizer) for _ in range(16 * BATCH)), key=lambda row: len(row[0]) + len(row[1])
            )
            ready = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
            rng.shuffle(ready)
        rows = ready.pop()
        length = max(len(prompt) + len(answer) for prompt, answer in rows)
        inputs = torch.full((BATCH, length), tokenizer.pad_token_id)
        labels = torch.full((BATCH, length), -100)
        for place, (prompt, answer) in enumerate(rows):
            ids = prompt + answer
            inputs[place, : len(ids)] = torch.tensor(ids)
            labels[place, len(prompt) : len(ids)] = torch.tensor(answer)
        yield inputs, labels


def _row(rng, tokenizer):
    question, steps, answer = make_problem(rng)
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) + "<|im_start|>think"
    text = f"\n{make_trace(rng, steps)}\n<|im_start|>answer{FORCED_ANSWER} {answer}<|im_end|>"
    return (
        tokenizer.encode(prompt, add_special_tokens=False),
        tokenizer.encode(text, add_special_tokens=False),
    )


def make_tokenizer(rng):
    """For its problems and traces, with a chat template."""
    from tests.inference.models import train_tokenizer

    texts = []
    for _ in range(300):
        question, steps, answer = make_problem(rng)
        texts.append(f"user\n{question}\nassistant\nthink\n{make_trace(rng, steps)}\nanswer\nAnswer: {answer}\n")
    tokenizer = train_tokenizer(texts)
    tokenizer.chat_template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}"
        "{{ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    return tokenizer
