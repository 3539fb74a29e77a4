"""Process reward models of transformers: a token-classification head, or a regression head on a causal model.

Both give logits at every token, so that all steps of a solution are scored in one pass. torch and transformers are
loaded when a model is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.errors import ConfigError
from inference.rewards import Scored, Solution

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class _Window:
    """Ids that are read in one pass.

    Attributes:
        owner: place of the solution.
        ends: places in `ids` of the steps' last tokens that are scored here.
    """

    owner: int
    ids: list[int]
    ends: list[int]


class TransformersRewardModel:
    """A reward model in this process.

    Solutions are written as trl trains such models: the problem, then each step without white space around it and the
    separator behind it; a step's reward is read at the separator's last token. A solution that is longer than the
    model's context is read in parts, each behind the problem and the steps just before it.
    """

    def __init__(self, model: Any, tokenizer: Any, *, separator: str = "\n", max_batch_tokens: int = 16_384) -> None:
        """
        Args:
            model: `...ForTokenClassification`, or `...ForSequenceClassification` of a causal model, in evaluation
                mode; one label, which is put through a sigmoid, or two, of which the second says that a step is good.
            separator: what ends a step, as in the model's training.
            max_batch_tokens: read at a time.

        Raises:
            ConfigError: the model is of another kind, or the separator is empty.
        """
        self._model = model
        self._tokenizer = tokenizer
        self._max_batch_tokens = max_batch_tokens
        kind = type(model).__name__
        is_regression = kind.endswith("ForSequenceClassification") and hasattr(model, "score")
        if not (is_regression or kind.endswith("ForTokenClassification")):
            raise ConfigError(
                f"the reward model is a {kind}; a ...ForTokenClassification, or a ...ForSequenceClassification of a "
                "causal model is needed"
            )
        self._is_regression = is_regression
        if model.config.num_labels not in (1, 2):
            raise ConfigError(f"the reward model has {model.config.num_labels} labels; 1 or 2 are allowed")
        self._separator: list[int] = tokenizer.encode(separator, add_special_tokens=False)
        if not self._separator:
            raise ConfigError(f"separator={separator!r} has no ids in the reward model's tokenizer; give a text")
        begin = tokenizer.bos_token_id
        self._begin: list[int] = [] if begin is None else [begin]
        self._context: int = model.config.get_text_config().max_position_embeddings

    @classmethod
    def load(
        cls, path: str | Path, *, dtype: str = "float32", device: str = "cpu", **options: Any
    ) -> "TransformersRewardModel":
        """A saved model: safetensors alone, and no code of the model's own.

        Args:
            path: a folder, or a name on the Hub.
            options: see __init__.

        Raises:
            ConfigError: it cannot be loaded or is of another kind.
        """
        import torch
        from transformers import (
            AutoConfig,
            AutoModelForSequenceClassification,
            AutoModelForTokenClassification,
            AutoTokenizer,
        )

        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r}; {' or '.join(DTYPES)} is allowed")
        try:
            kind = str((AutoConfig.from_pretrained(path).architectures or ["no architecture"])[0])
            maker: Any = {
                "TokenClassification": AutoModelForTokenClassification,
                "SequenceClassification": AutoModelForSequenceClassification,
            }.get(kind.rpartition("For")[2])
            if maker is None:
                # another head would be made up anew, at random
                raise ConfigError(
                    f"reward model {str(path)!r} holds {kind}; a ...ForTokenClassification or "
                    "...ForSequenceClassification is needed"
                )
            tokenizer = AutoTokenizer.from_pretrained(path)
            model = maker.from_pretrained(path, dtype=getattr(torch, dtype), use_safetensors=True)
        except ConfigError:
            raise
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"reward model {str(path)!r} cannot be loaded: {reason}") from None
        return cls(model.to(device), tokenizer, **options)

    def fingerprint(self) -> dict[str, Any]:
        """What a run records of it."""
        import transformers

        return {
            "reward_model": type(self._model).__name__,
            "name": self._model.config._name_or_path,
            "transformers": transformers.__version__,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": str(self._model.device),
            "separator_ids": self._separator,
        }

    def score(self, solutions: Sequence[Solution]) -> list[Scored]:
        windows = [window for owner, solution in enumerate(solutions) for window in self._windows(owner, solution)]
        rewards: dict[int, tuple[float, ...]] = {}
        # rows of like length beside each other, so that little is read for nothing
        order = sorted(range(len(windows)), key=lambda place: len(windows[place].ids))
        for batch in self._batches(order, windows):
            rewards |= dict(zip(batch, self._read([windows[place] for place in batch]), strict=True))
        given: list[list[float]] = [[] for _ in solutions]
        tokens = [0] * len(solutions)
        for place, window in enumerate(windows):
            given[window.owner] += rewards[place]
            tokens[window.owner] += len(window.ids)
        return [Scored(tuple(row), count) for row, count in zip(given, tokens, strict=True)]

    def _windows(self, owner: int, solution: Solution) -> Iterator[_Window]:
        problem = self._begin + self._tokenizer.encode(solution.problem.strip() + "\n", add_special_tokens=False)
        # a problem that fills the context leaves half of it to the steps
        problem = problem[-max(1, self._context // 2) :]
        room = self._context - len(problem)
        steps = [
            [*self._tokenizer.encode(step.strip(), add_special_tokens=False), *self._separator][-room:]
            for step in solution.steps
        ]
        begin, place = 0, solution.first
        while place < len(steps):
            if sum(map(len, steps[begin : place + 1])) > room:
                # half of the room for the steps before, so that the next ones find room behind
                while begin < place and sum(map(len, steps[begin : place + 1])) > max(room // 2, len(steps[place])):
                    begin += 1
            ids, ends = list(problem), []
            for number in range(begin, len(steps)):
                if len(ids) + len(steps[number]) > self._context:
                    break
                ids += steps[number]
                if number >= place:
                    ends.append(len(ids) - 1)
            yield _Window(owner, ids, ends)
            place += len(ends)

    def _batches(self, order: list[int], windows: list[_Window]) -> Iterator[list[int]]:
        batch: list[int] = []
        for place in order:
            if batch and len(windows[place].ids) * (len(batch) + 1) > self._max_batch_tokens:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _read(self, windows: list[_Window]) -> list[tuple[float, ...]]:
        import torch

        width = max(len(window.ids) for window in windows)
        device = self._model.device
        ids = torch.tensor([window.ids + [0] * (width - len(window.ids)) for window in windows], device=device)
        lengths = torch.tensor([len(window.ids) for window in windows], device=device)[:, None]
        seen = (torch.arange(width, device=device) < lengths).long()
        with torch.inference_mode():
            logits = self._logits(ids, seen).float()
        good = torch.sigmoid(logits[..., 0]) if logits.shape[-1] == 1 else torch.softmax(logits, dim=-1)[..., 1]
        return [tuple(good[row, window.ends].tolist()) for row, window in enumerate(windows)]

    def _logits(self, ids: "torch.Tensor", seen: "torch.Tensor") -> "torch.Tensor":
        """Logits at every token, shape (rows, width, labels)."""
        if not self._is_regression:
            logits: torch.Tensor = self._model(input_ids=ids, attention_mask=seen).logits
            return logits
        states = self._model.base_model(input_ids=ids, attention_mask=seen).last_hidden_state
        scores: torch.Tensor = self._model.score(states)
        return scores
