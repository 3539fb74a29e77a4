"""Budget forcing inside vLLM's running batch: a custom logits processor of its V1 model runner (ADR 18).

`VLLMEngine` loads it into its own process; a server loads it by
`--logits-processors inference.engines.vllm_processor:BudgetForcingProcessor`. A request is forced where its extra
arguments hold a row of this process, or `s1web_forcing`, the JSON text of `forcing_to_json`. All others pass by.

vllm and torch are loaded when the class is asked for.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from curation.errors import ConfigError, InputError
from inference.engines.forced_row import ForcedRow, Report
from inference.engines.protocol import Request
from inference.engines.torch_sampling import draw_rows
from inference.forcing_plan import ForcingPlan, plan_from_json, plan_to_json
from inference.sampling import Sampling

if TYPE_CHECKING:
    import torch

ARGUMENT = "s1web_forcing"
PROTOCOL = 1
# where a request keeps its row; a preempted request comes back with the same arguments
_ROW = "s1web_row"


def forcing_to_json(request: Request, *, max_new_tokens: int, drawn: Sequence[int], report: Report) -> str:
    """What a server's processor has to know of a request: one text, as servers take flat arguments alone."""
    return json.dumps(
        {
            "protocol": PROTOCOL,
            "plan": _plan_text(request.plan),
            "sampling": asdict(request.sampling),
            "max_new_tokens": max_new_tokens,
            "last_prompt_id": request.prompt_ids[-1],
            "drawn": list(drawn),
            "report": asdict(report),
        }
    )


@lru_cache(maxsize=64)
def _plan_text(plan: ForcingPlan) -> str:
    return json.dumps(plan_to_json(plan))


@lru_cache(maxsize=64)
def _plan_of(text: str) -> ForcingPlan:
    return plan_from_json(json.loads(text))


def row_from_json(text: object) -> ForcedRow:
    """The row that `forcing_to_json` asks for.

    Raises:
        ConfigError: it is no such text, or its plan cannot be kept.
    """
    try:
        values: Any = json.loads(text) if isinstance(text, str) else text
        if values["protocol"] != PROTOCOL:
            raise ConfigError(f"protocol {values['protocol']!r:.20} is not spoken here; allowed: {PROTOCOL}")
        report = Report(**values["report"])
        plan = _plan_of(values["plan"])
        limits = (values["max_new_tokens"], values["last_prompt_id"], report.stop, report.num_digits)
        for number in (*_ids_of(plan), *values["drawn"], *limits):
            if type(number) is not int or number < 0:
                raise ConfigError(f"{number!r:.60} stands where a whole number of 0 or more is needed")
        row = ForcedRow(
            plan,
            Sampling(**values["sampling"]),
            max_new_tokens=values["max_new_tokens"],
            last_prompt_id=values["last_prompt_id"],
            drawn=values["drawn"],
            report=report,
        )
    except ConfigError as error:
        raise ConfigError(f"{ARGUMENT}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{ARGUMENT} is no forcing of protocol {PROTOCOL}: {error!r:.200}") from None
    return row


class _Forcing:
    """The processor's own part; `BudgetForcingProcessor` is this and vLLM's base class."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse a request that cannot be forced; a server answers it with status 400.

        Raises:
            ValueError: its plan cannot be read, or it asks for several sequences.
        """
        extra = sampling_params.extra_args or {}
        if ARGUMENT in extra:
            row_from_json(extra[ARGUMENT])
            if sampling_params.n != 1:
                raise ConfigError(f"{ARGUMENT} with n={sampling_params.n}; send one request for each sequence")

    def __init__(self, vllm_config: Any, device: "torch.device", is_pin_memory: bool) -> None:
        model = vllm_config.model_config
        self._num_ids: int = model.get_vocab_size()
        self._unknown = _unknown_ids(model, self._num_ids, device)
        self._rows: dict[int, ForcedRow] = {}
        self._places: list[int] = []

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follow which request is in which row of the batch."""
        if batch_update is None:
            return
        rows = self._rows
        for place in batch_update.removed:
            rows.pop(place, None)
        for place, params, _prompt, output in batch_update.added:
            row = self._row_of(params)
            if row is None:
                rows.pop(place, None)
            else:
                row.output = output
                rows[place] = row
        for one, other, direction in batch_update.moved:
            moved, back = rows.pop(one, None), rows.pop(other, None)
            if moved is not None:
                rows[other] = moved
            if back is not None and direction.name == "SWAP":
                rows[one] = back
        self._places = sorted(rows)

    def _row_of(self, params: Any) -> ForcedRow | None:
        extra = params.extra_args
        if not extra:
            return None
        if _ROW not in extra and ARGUMENT in extra:
            row = row_from_json(extra[ARGUMENT])
            if any(id_ >= self._num_ids for ids in _forced(row.plan) for id_ in ids):
                row.fail()
            extra[_ROW] = row
        found: ForcedRow | None = extra.get(_ROW)
        return found

    def apply(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Leave one id to each forced row: the one that comes next.

        Args:
            logits: shape (rows of the batch, vocabulary), float32.
        """
        import torch

        if not self._rows:
            return logits
        rows = [self._rows[place] for place in self._places]
        for row in rows:
            if len(row.output) != row.emitted:
                _follow(row)
        is_all = len(rows) == len(logits)
        places = torch.tensor(self._places, device=logits.device)
        drawing = [place for place, row in enumerate(rows) if row.is_drawing]
        if drawing:
            # rows that are ours alone may be written into: what they held is not needed again
            scores = logits if is_all else logits[places]
            if len(self._unknown):
                scores[:, self._unknown] = float("-inf")
        while drawing:
            some = scores if len(drawing) == len(rows) else scores[drawing]
            ids = draw_rows(some, [rows[place].draw() for place in drawing])
            for place, id_ in zip(drawing, ids, strict=True):
                rows[place].observe(id_)
            # where an end was dropped and nothing put in, the next id comes from the same logits
            drawing = [place for place in drawing if rows[place].is_drawing]
        # an id of a report that the model has no row for is the sender's mistake, and its generation's alone
        emitted = torch.tensor([row.emit() for row in rows], device=logits.device).clamp_(max=self._num_ids - 1)
        if is_all:
            logits.fill_(float("-inf"))
        else:
            logits[places] = float("-inf")
        logits[places, emitted] = 0.0
        return logits


def _follow(row: ForcedRow) -> None:
    try:
        row.follow(len(row.output))
    except InputError:
        row.fail()


def _ids_of(plan: ForcingPlan) -> list[int]:
    """Ids that the plan puts in or waits for."""
    delimiters = plan.delimiters
    watched = (*delimiters.ends, *delimiters.stops, *delimiters.reopens)
    return [id_ for ids in (*_forced(plan), *watched) for id_ in ids]


def _forced(plan: ForcingPlan) -> tuple[tuple[int, ...], ...]:
    return (plan.natural_end, plan.forced_end, plan.delimiters.separator, *plan.ignore_ids)


def _unknown_ids(model: Any, num_ids: int, device: "torch.device") -> "torch.Tensor":
    """Ids that the model has a row for and the tokenizer no text."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        model.tokenizer, revision=model.tokenizer_revision, trust_remote_code=model.trust_remote_code
    )
    known = set(tokenizer.get_vocab().values())
    return torch.tensor([id_ for id_ in range(num_ids) if id_ not in known], dtype=torch.long, device=device)


def row_arguments(row: ForcedRow) -> dict[str, Any]:
    """A request's extra arguments where engine and batch are in one process."""
    return {_ROW: row}


@cache
def _processor() -> type:
    from vllm.v1.sample.logits_processor import LogitsProcessor

    return type("BudgetForcingProcessor", (_Forcing, LogitsProcessor), {"__module__": __name__})


def __getattr__(name: str) -> Any:
    # vLLM finds the class by this name; it is made then, so that reading this module loads no vllm
    if name == "BudgetForcingProcessor":
        return _processor()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
