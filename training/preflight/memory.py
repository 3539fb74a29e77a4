"""What a device's memory holds at the fullest moment of a step, part by part.

It follows what `training.trainer` does, with the libraries' own habits:

- Weights are loaded in float32, with float32 gradients and AdamW's two float32 states: 16 bytes a parameter.
- bfloat16 on one device, or on several without sharding, is autocast: each linear map computes with a bfloat16 copy
  of its weight, which autograd keeps until that layer's backward pass. The residual stream stays float32.
- FSDP (the second version) keeps a device's share of weights, gradients and states in float32, gathers a layer at a
  time in bfloat16 and the one after it ahead, and the residual stream is bfloat16.
- TRL's loss never holds the logits of a row: it goes through tiles of 4,096 tokens and 32,768 ids, and on a GPU
  through those tokens alone that carry loss. What it does hold is the head's gradient in float32.

A step has five moments, each full of something else; the fullest is what has to fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.config import TrainingConfig
from training.preflight.shape import ModelShape

GIB = 2**30
# trl.kernels.chunked_logprob: TOKEN_CHUNK_SIZE, and _CHUNKED_LOGPROB_CHUNK_SIZE of trl.trainer.utils
_TILE_TOKENS, _TILE_IDS = 4_096, 32_768
_MASTER, _STATES = 4, 8


@dataclass(frozen=True, slots=True)
class Calibration:
    """What measuring on a device changes in the estimate; the defaults change nothing but the reserve.

    Attributes:
        activations, head, working: factors of those lines.
        reserve_share: of the sum, for what the allocator holds in pieces too small to use.
        reserve_bytes: that the driver, its libraries and its communication take of each device.
    """

    activations: float = 1.0
    head: float = 1.0
    working: float = 1.0
    reserve_share: float = 0.05
    reserve_bytes: int = GIB


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The largest that a device computes at once.

    Attributes:
        num_rows: sequences in it; 1 where they are laid into one row.
        num_tokens: in all, padding too.
        longest: tokens of its longest sequence.
        num_loss_tokens: that carry loss.
    """

    num_rows: int
    num_tokens: int
    longest: int
    num_loss_tokens: int


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the memory, in bytes: `parameters`, `gradients`, `optimizer`, `copies` (of weights, to compute with),
    `activations`, `head` (of the loss), `working` (of the layer that is computed)."""

    name: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What is held at one moment of a step."""

    name: str
    lines: tuple[Line, ...]

    @property
    def num_bytes(self) -> int:
        """The sum of the lines: what torch's allocator calls allocated."""
        return sum(line.num_bytes for line in self.lines)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of each device.

    Attributes:
        moments: of a step, in their order.
        reserve_bytes: held beside what is allocated; see Calibration.
    """

    moments: tuple[Moment, ...]
    reserve_bytes: int

    @property
    def peak(self) -> Moment:
        """The fullest moment."""
        return max(self.moments, key=lambda moment: moment.num_bytes)

    @property
    def num_bytes(self) -> int:
        """That a device needs: the fullest moment and the reserve."""
        return self.peak.num_bytes + self.reserve_bytes


def estimate_memory(
    config: TrainingConfig,
    shape: ModelShape,
    batch: MicroBatch,
    *,
    num_devices: int = 1,
    calibration: Calibration | None = None,
) -> Memory:
    """Memory of each device from the second step on, when the optimizer's states are there."""
    calibration = calibration or Calibration()
    parts = _Parts(config, shape, batch, num_devices)
    factors = {"activations": calibration.activations, "head": calibration.head, "working": calibration.working}
    moments = tuple(
        Moment(name, tuple(Line(line, round(held * factors.get(line, 1.0))) for line, held in lines.items()))
        for name, lines in parts.moments()
    )
    fullest = max(moment.num_bytes for moment in moments)
    return Memory(moments, calibration.reserve_bytes + round(calibration.reserve_share * fullest))


class _Parts:
    """The parts of one device's memory in bytes, and which of them each moment holds."""

    def __init__(self, config: TrainingConfig, shape: ModelShape, batch: MicroBatch, num_devices: int) -> None:
        self.shape, self.batch = shape, batch
        self.is_half = config.dtype == "bfloat16"
        self.is_on_cpu = config.device == "cpu"
        # accelerate shards on no CPU
        self.is_sharded = config.sharding == "full" and num_devices > 1 and not self.is_on_cpu
        self.is_eager = config.attention == "eager"
        # rows of different lengths side by side, or behind each other in one: all but flash attention take a mask of
        # every pair of tokens
        is_flash = (config.attention or "").startswith("flash")
        self.is_masked = self.is_eager or (not is_flash and config.micro_batch_size > 1)
        self.checkpoints = config.checkpoints_gradients
        self.num_trained = (
            shape.num_adapter_parameters(config.lora.rank) if config.lora.rank else shape.num_parameters
        )
        self.num_held = shape.num_parameters + (self.num_trained if config.lora.rank else 0)
        self.trains_all = not config.lora.rank
        self.shards = num_devices if self.is_sharded else 1
        self.is_replicated = num_devices > 1 and not self.is_sharded
        self.accumulates = config.num_accumulated(num_devices) > 1
        self.compute = 2 if self.is_half else 4
        # autocast leaves sums in float32; FSDP casts the embedding, and with it all that follows
        self.residual = 2 if self.is_half and self.is_sharded else 4

    def moments(self) -> Sequence[tuple[str, dict[str, float]]]:
        shape = self.shape
        layers, layer_input = shape.num_layers, self._layer_input()
        one = self._layer_activations()
        saved = layers * (layer_input if self.checkpoints else one) + self._around_layers()
        last = (one if self.checkpoints else 0) + saved
        first = one + self._around_layers()
        kept = self._kept() if self.accumulates else 0.0
        of_head = min(self._gradients(), _MASTER * shape.num_embedding_parameters / self.shards)
        of_head = max(kept, of_head if self.trains_all else 0.0)
        # of the first layer, which is the last to get its gradients, and of the embedding
        unfinished = _MASTER * shape.num_layer_parameters / self.shards if self.trains_all else 0.0
        if not shape.is_tied and self.trains_all:
            unfinished += _MASTER * shape.num_embedding_parameters / self.shards
        base = {"parameters": _MASTER * self.num_held / self.shards}
        states = {"optimizer": _STATES * self.num_trained / self.shards}

        def moment(
            gradients: float, copies: float = 0.0, activations: float = 0.0, head: float = 0.0, working: float = 0.0
        ) -> dict[str, float]:
            buckets = _MASTER * self.num_trained if self.is_replicated else 0
            return (
                base
                | {"gradients": gradients + buckets}
                | states
                | {"copies": copies, "activations": activations, "head": head, "working": working}
            )

        return (
            ("end of the forward pass", moment(kept, self._copies(layers, is_forward=True), saved, self._head())),
            ("loss", moment(kept, self._copies(layers, is_loss=True), saved, self._head(is_backward=True))),
            ("backward, last layer", moment(of_head, self._copies(layers), last, 0.0, self._working())),
            (
                "backward, first layer",
                moment(
                    max(kept, self._gradients() - unfinished),
                    self._copies(1),
                    first,
                    0.0,
                    max(self._working(), self._embedding()),
                ),
            ),
            ("optimizer step", moment(self._gradients())),
        )

    def _gradients(self) -> float:
        """Of all trained parameters, once they are all there."""
        return _MASTER * self.num_trained / self.shards

    def _kept(self) -> float:
        """Gradients of the micro-batches before.

        Under FSDP they wait whole, in the precision of computing, on every device: transformers adds micro-batches up
        without sharing them out, and shares out the last one's sum.
        """
        return self.compute * self.num_trained if self.is_sharded else self._gradients()

    def _copies(self, num_layers: int, *, is_forward: bool = False, is_loss: bool = False) -> float:
        """Weights to compute with, while this many layers wait for their backward pass."""
        shape = self.shape
        layer = self.compute * shape.num_layer_parameters
        if self.is_sharded:
            # the layer at work, the one gathered ahead, and the buffer it comes in; the head is not given back before
            # its backward pass
            num_gathered = 1 if is_loss else 2 if is_forward else 3
            return num_gathered * layer + self.compute * shape.num_embedding_parameters
        if not self.is_half:
            return 0.0
        # checkpointing forgets what autograd would keep; autocast's own memory of copies of trained weights ends with
        # the forward pass
        if self.checkpoints and not (is_forward and self.trains_all):
            return layer
        return num_layers * layer

    def _layer_input(self) -> float:
        return self.residual * self.shape.hidden * self.batch.num_tokens

    def _layer_activations(self) -> float:
        """What autograd keeps of a layer, its input included."""
        shape, batch, half = self.shape, self.batch, self.compute
        hidden, query, kv, inner = shape.hidden, shape.query_width, shape.kv_width, shape.intermediate
        # a norm keeps its input and what it is scaled to, both in float32, and the next maps their own input
        norm = 4 * hidden + self.residual * hidden
        if self.is_half and not self.is_sharded:
            # autocast casts once for each map: query, key, value; gate, up
            norms = 2 * (4 + 4) * hidden + (3 + 2) * 2 * hidden
        else:
            norms = 2 * (norm + self.residual * hidden)
        if shape.has_head_norms:
            norms += 2 * 4 * (query + kv)
        attended = 2 * (query if self.is_masked and shape.num_kv_heads < shape.num_heads else kv)
        attention = half * (2 * query + attended) + (0 if self.is_eager else 4 * shape.num_heads)
        mlp = 4 * half * inner
        kept = (norms + attention + mlp) * batch.num_tokens
        if self.is_eager:
            # the softmax in float32, and the weights that it is cast to
            return kept + shape.num_heads * self._pairs() * (4 + (half if self.is_half else 0))
        return kept + half * self._pairs() * self.is_masked

    def _around_layers(self) -> float:
        """Kept once: the last norm, the rotary tables, ids, labels and masks."""
        shape, batch = self.shape, self.batch
        kept = (2 * 4 * shape.hidden + 2 * self.residual * shape.head_dim + 3 * 8) * batch.num_tokens
        return kept + (1 + self.compute) * self._pairs() * self.is_masked

    def _pairs(self) -> float:
        """Pairs of tokens that a mask has a place for."""
        return self.batch.num_rows * self.batch.longest**2

    def _head(self, *, is_backward: bool = False) -> float:
        """What the loss takes beside the activations."""
        shape, batch, half = self.shape, self.batch, self.compute
        scored = batch.num_tokens if self.is_on_cpu else batch.num_loss_tokens
        tokens = min(scored, _TILE_TOKENS)
        ids = min(shape.vocabulary, _TILE_IDS)
        tile = half * tokens * _TILE_IDS
        weights = half * ids * shape.hidden if self.is_half and not self.is_sharded else 0
        held = tile + weights + half * tokens * shape.hidden
        if not self.is_on_cpu:
            held += self.residual * scored * shape.hidden  # the scored tokens, picked out
        if self.is_on_cpu:
            # without Triton a tile is folded in float32, by whole operations: seven of its size on the way back
            held += (7 if is_backward else 5) * 4 * tokens * ids
        if is_backward:
            held += (4 + self.residual) * scored * shape.hidden
            held += 4 * shape.num_embedding_parameters if self.trains_all else 0
        return held

    def _working(self) -> float:
        """Gradients on their way through a layer, and those of its largest map before they are added up."""
        shape, batch, half = self.shape, self.batch, self.compute
        flowing: float = (3 * half * shape.intermediate + 3 * 4 * shape.hidden) * batch.num_tokens
        if self.is_eager:
            # the softmax's gradient before and behind it, when the cast weights have gone
            flowing = max(flowing, shape.num_heads * self._pairs() * (8 - (half if self.is_half else 0)))
        if not self.trains_all:
            return flowing
        if self.is_sharded:
            # a layer's gradients, and the buffer they are summed over the devices in
            return flowing + 2 * half * shape.num_layer_parameters
        largest = shape.hidden * shape.intermediate
        return flowing + (half if self.is_half else 0) * largest + 4 * largest

    def _embedding(self) -> float:
        """The embedding's gradient before it is added to the head's, or to that of the micro-batches before."""
        is_added = self.accumulates or self.shape.is_tied
        size = self.compute if self.is_sharded else 4
        return size * self.shape.num_embedding_parameters if self.trains_all and (is_added or self.is_sharded) else 0
