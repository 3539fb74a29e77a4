"""Rows of a batch that share one KV cache: rows join, leave, and take single ids back, and nothing is computed twice.

Rows are aligned on the right: every row's last id is in the cache's last column, and what stands left of a shorter
row is masked. An id that is taken back stays in its column, masked, and the row's position steps back; so a row can
lose ids in the middle of a batch whose other rows do not. All of this is exact for full attention, where a masked
column has weight 0.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# spare columns when a buffer is made, and its growth when they are used up
_SPARE = 64
_GROWTH = 1.5


@cache
def _layer_class() -> Any:
    """A layer of a transformers cache that writes into spare columns; DynamicLayer copies all of it each step."""
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers is typed in part
        keys: Any
        values: Any

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.width = 0

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            end = self.width + key_states.shape[2]
            if end > self.keys.shape[2]:
                self.keys, self.values = self._grown(self.keys, end), self._grown(self.values, end)
            self.keys[:, :, self.width : end] = key_states
            self.values[:, :, self.width : end] = value_states
            self.width = end
            return self.keys[:, :, :end], self.values[:, :, :end]

        def get_seq_length(self) -> int:
            return self.width

        def set_buffers(self, keys: Any, values: Any, width: int) -> None:
            self.keys, self.values, self.width = keys, values, width

        def _grown(self, part: Any, end: int) -> Any:
            columns = max(end + _SPARE, int(part.shape[2] * _GROWTH))
            grown = part.new_empty(*part.shape[:2], columns, part.shape[3])
            grown[:, :, : self.width] = part[:, :, : self.width]
            return grown

    return GrowingLayer


class Rows:
    """The rows that a model has in hand.

    Attributes:
        count: rows; the order is that of `add` and `keep`.
        width: columns of the cache.
    """

    def __init__(self, model: Any, *, max_prefill_tokens: int) -> None:
        """
        Args:
            model: a causal language model of transformers whose layers all have full attention.
            max_prefill_tokens: prompts are computed together up to so many columns times rows.
        """
        import torch

        self._torch = torch
        self._model = model
        self._device = model.device
        self._max_prefill_tokens = max_prefill_tokens
        self._cache: Any = None
        self._seen = torch.zeros((0, 0), dtype=torch.bool, device=self._device)  # (count, columns)
        self._starts: list[int] = []  # first column of each row
        self._positions: list[int] = []  # of each row's next id
        self.width = 0

    @property
    def count(self) -> int:
        return len(self._positions)

    def add(self, prompts: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Compute prompts as new rows behind those that are there.

        Returns:
            logits of each new row's next id, shape (len(prompts), vocabulary).
        """
        caches, widths, logits = [], [], []
        for group in self._groups(prompts):
            made, last = self._prefill(group)
            caches.append((made, len(group)))
            widths.append(max(map(len, group)))
            logits.append(last)
        parts = ([(self._cache, self.count)] if self.count else []) + caches
        old_width = self.width
        widths = ([old_width] if self.count else []) + widths
        width = max(widths)
        if len(parts) == 1:
            self._cache = parts[0][0]
        else:
            self._cache = self._joined(parts, widths, width)
        seen = self._torch.zeros((self.count + len(prompts), width + _SPARE), dtype=self._torch.bool)
        seen = seen.to(self._device)
        seen[: self.count, width - old_width : width] = self._seen[:, :old_width]
        for place, prompt in enumerate(prompts, self.count):
            seen[place, width - len(prompt) : width] = True
        self._seen = seen
        self._starts = [begin + width - old_width for begin in self._starts]
        self._starts += [width - len(prompt) for prompt in prompts]
        self._positions += map(len, prompts)
        self.width = width
        return self._torch.cat(logits)

    def feed(self, ids: Sequence[int | None]) -> "torch.Tensor":
        """Feed one id to every row; None to a row that is finished, whose logits then mean nothing.

        Returns:
            logits of each row's next id, shape (count, vocabulary).
        """
        if self.width == self._seen.shape[1]:
            spare = self._seen.new_zeros((self.count, int(self.width * (_GROWTH - 1)) + _SPARE))
            self._seen = self._torch.cat([self._seen, spare], dim=1)
        self._seen[:, self.width] = True
        self.width += 1
        logits = self._forward(
            self._tensor([[id_ or 0] for id_ in ids]),
            self._seen[:, : self.width],
            self._tensor([[position] for position in self._positions]),
            self._cache,
        )
        # a finished row stays where it is: behind the model's last position there may be no further one
        self._positions = [position + (id_ is not None) for id_, position in zip(ids, self._positions, strict=True)]
        return logits

    def take_back(self, row: int, num_ids: int) -> None:
        """Forget the last ids of a row, as if they had never been fed."""
        if not num_ids:
            return
        columns = self._torch.nonzero(self._seen[row, : self.width]).flatten()[-num_ids:]
        self._seen[row, columns] = False
        self._positions[row] -= num_ids

    def keep(self, rows: Sequence[int]) -> None:
        """Let all other rows go, and the columns that were theirs alone."""
        if not rows:
            self._cache, self.width = None, 0
            self._starts, self._positions = [], []
            self._seen = self._seen[:0, :0]
            return
        first = min(self._starts[row] for row in rows)
        chosen = self._tensor(list(rows))
        width = self.width - first
        for layer in self._cache.layers:
            # indexing copies, so that the memory of the rows that leave is free
            keys, values = (part[chosen, :, first : self.width] for part in (layer.keys, layer.values))
            layer.set_buffers(keys, values, width)
        self._seen = self._seen[chosen, first : self.width]
        self._starts = [self._starts[row] - first for row in rows]
        self._positions = [self._positions[row] for row in rows]
        self.width = width

    def _groups(self, prompts: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
        groups: list[list[Sequence[int]]] = [[]]
        longest = 0
        for prompt in prompts:
            longest = max(longest, len(prompt))
            if groups[-1] and longest * (len(groups[-1]) + 1) > self._max_prefill_tokens:
                groups.append([])
                longest = len(prompt)
            groups[-1].append(prompt)
        return groups

    def _prefill(self, prompts: list[Sequence[int]]) -> tuple[Any, "torch.Tensor"]:
        from transformers.cache_utils import Cache

        width = max(map(len, prompts))
        ids = self._tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        columns = self._torch.arange(width, device=self._device)
        begins = self._tensor([width - len(prompt) for prompt in prompts])[:, None]
        made = Cache(layer_class_to_replicate=_layer_class())
        logits = self._forward(ids, columns >= begins, (columns - begins).clamp(min=0), made)
        return made, logits

    def _joined(self, parts: list[tuple[Any, int]], widths: list[int], width: int) -> Any:
        """One cache of all parts' rows, each aligned on the right."""
        bounds = list(pairwise(accumulated([rows for _, rows in parts])))
        first = parts[0][0]
        for place, layer in enumerate(first.layers):
            buffers = []
            for name in ("keys", "values"):
                old = getattr(layer, name)
                # zeros, as a masked column's weight of 0 would make NaN of what memory happens to hold
                new = old.new_zeros(bounds[-1][1], old.shape[1], width + _SPARE, old.shape[3])
                for (made, _), own_width, (begin, end) in zip(parts, widths, bounds, strict=True):
                    source = getattr(made.layers[place], name)
                    new[begin:end, :, width - own_width : width] = source[:, :, :own_width]
                buffers.append(new)
            layer.set_buffers(*buffers, width)
            for made, _ in parts[1:]:
                made.layers[place].set_buffers(None, None, 0)
        return first

    def _forward(
        self, ids: "torch.Tensor", seen: "torch.Tensor", positions: "torch.Tensor", past: Any
    ) -> "torch.Tensor":
        with self._torch.inference_mode():
            out = self._model(
                input_ids=ids,
                attention_mask=seen,
                position_ids=positions,
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _tensor(self, values: list[Any]) -> "torch.Tensor":
        return self._torch.tensor(values, dtype=self._torch.long, device=self._device)


def accumulated(counts: Sequence[int]) -> list[int]:
    """0 and the running sums: the bounds of parts of these sizes."""
    bounds = [0]
    for count in counts:
        bounds.append(bounds[-1] + count)
    return bounds
