"""A model that thinks in a circle, and a task of lm-eval over a local file."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.inference.models import make_tokenizer, num_model_ids, transition_model

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
NAME = "sums"
QUESTIONS = [f"{a} + {42 - a} = ?" for a in range(5)]


def ids_of(text):
    return make_tokenizer().encode(text, add_special_tokens=False)


def looping_table():
    """Logits by the last id: think, then `step so`, an end; an answer `\\n42`, then ` so`, and ` so` for ever."""
    table = np.zeros((num_model_ids(), num_model_ids()), dtype=np.float32)
    (im_start,) = ids_of("<|im_start|>")
    (step,), (so,) = ids_of("z"), ids_of("y")
    table[:, step] = 10.0  # behind whatever was put in, it thinks on
    table[step, so] = 20.0
    table[so, im_start] = 20.0
    answer = ids_of("<|im_start|>answer")
    chain = [answer[-1], *ids_of("\n"), *ids_of("4"), *ids_of("2"), *ids_of("!")]
    for here, there in pairwise(chain):
        table[here, there] = 20.0
    # behind a forced `Final Answer:` too
    table[ids_of(":")[-1], ids_of("4")[0]] = 20.0
    table[chain[-1], chain[-1]] = 20.0
    return table


def save_model(folder):
    tokenizer = make_tokenizer()
    transition_model(looping_table(), context_tokens=512).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # the tokenizer is shared by all tests, so its template is written beside it
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def write_task(folder, **changes):
    """A task of exact answers; `changes` replace its keys."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "sums.jsonl"
    data.write_text("".join(json.dumps({"question": text, "answer": "42"}) + "\n" for text in QUESTIONS))
    task = {
        "task": NAME,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["!"], "max_gen_toks": 20},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    } | changes
    # JSON is YAML
    (folder / "sums.yaml").write_text(json.dumps(task))
    return folder


def lm_eval(tmp_path, *arguments):
    """The command line in a process of its own; offline."""
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "inference.lm_eval", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
