"""A model's shape, from its config.json: what its parameters, activations and operations are counted from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import ConfigError

# biases of the query, key and value projections; of the output projection; norms of each head's queries and keys
_FAMILIES: Mapping[str, tuple[bool, bool, bool]] = {
    "qwen2": (True, False, False),
    "qwen3": (False, False, True),
    "llama": (False, False, False),
    "mistral": (False, False, False),
}
# families whose config says whether they have biases
_TELL_BIASES = {"qwen3", "llama"}


class UnknownFamilyError(ConfigError):
    """A model whose parts are not known here; it may train all the same."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder of the Llama kind: grouped attention, gated MLP, RMS norms, rotary positions.

    Attributes:
        family: `model_type` of config.json.
        num_heads, num_kv_heads, head_dim: of a layer's attention.
        intermediate: width of the MLP.
        vocabulary: rows of the embedding, those without a token too.
        is_tied: the head uses the embedding's weights.
        context_tokens: that the model was made for; None: its config does not say.
        has_qkv_bias, has_output_bias, has_mlp_bias, has_head_norms: which projections have biases, and whether
            queries and keys are normalised head by head.
    """

    family: str
    num_layers: int
    hidden: int
    intermediate: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocabulary: int
    is_tied: bool
    has_qkv_bias: bool = False
    has_output_bias: bool = False
    has_mlp_bias: bool = False
    has_head_norms: bool = False
    context_tokens: int | None = None

    @property
    def query_width(self) -> int:
        """Of all heads of a layer together."""
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Of the keys, and of the values, of a layer."""
        return self.num_kv_heads * self.head_dim

    @property
    def projections(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of a layer's linear maps: query, key, value, output, gate, up, down."""
        query, kv, hidden, inner = self.query_width, self.kv_width, self.hidden, self.intermediate
        return (
            (hidden, query),
            (hidden, kv),
            (hidden, kv),
            (query, hidden),
            (hidden, inner),
            (hidden, inner),
            (inner, hidden),
        )

    @property
    def num_layer_matrix_parameters(self) -> int:
        """Of a layer's linear maps, without biases."""
        return sum(into * out for into, out in self.projections)

    @property
    def num_layer_parameters(self) -> int:
        """Of a layer."""
        biases = (self.query_width + 2 * self.kv_width) * self.has_qkv_bias + self.hidden * self.has_output_bias
        biases += (2 * self.intermediate + self.hidden) * self.has_mlp_bias
        norms = 2 * self.hidden + 2 * self.head_dim * self.has_head_norms
        return self.num_layer_matrix_parameters + biases + norms

    @property
    def num_embedding_parameters(self) -> int:
        """Of the embedding, and of a head of the same size."""
        return self.vocabulary * self.hidden

    @property
    def num_parameters(self) -> int:
        """Of the model; a tied head's count once, as in transformers' `num_parameters()`."""
        embeddings = self.num_embedding_parameters * (1 if self.is_tied else 2)
        return embeddings + self.num_layers * self.num_layer_parameters + self.hidden

    def num_adapter_parameters(self, rank: int) -> int:
        """Of LoRA adapters of that rank on every linear map of the layers; the head gets none."""
        return self.num_layers * rank * sum(into + out for into, out in self.projections)


def shape_from_config(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a model's config describes.

    Args:
        config: config.json with the family's defaults filled in, as `PretrainedConfig.to_dict()` gives it.

    Raises:
        UnknownFamilyError: it is of a family whose parts are not known here.
        ConfigError: it lacks a size.
    """
    family = str(config.get("model_type"))
    if family not in _FAMILIES:
        raise UnknownFamilyError(
            f"model_type={family!r:.60}: memory and hours are estimated for {', '.join(_FAMILIES)} alone; the run "
            "may do all the same"
        )
    has_qkv_bias, has_output_bias, has_head_norms = _FAMILIES[family]
    if family in _TELL_BIASES:
        has_qkv_bias = has_output_bias = bool(config.get("attention_bias"))
    num_heads = _size(config, "num_attention_heads")
    hidden = _size(config, "hidden_size")
    return ModelShape(
        family=family,
        num_layers=_size(config, "num_hidden_layers"),
        hidden=hidden,
        intermediate=_size(config, "intermediate_size"),
        num_heads=num_heads,
        num_kv_heads=_size(config, "num_key_value_heads") if config.get("num_key_value_heads") else num_heads,
        head_dim=_size(config, "head_dim") if config.get("head_dim") else hidden // num_heads,
        vocabulary=_size(config, "vocab_size"),
        is_tied=bool(config.get("tie_word_embeddings")),
        has_qkv_bias=has_qkv_bias,
        has_output_bias=has_output_bias,
        has_mlp_bias=bool(config.get("mlp_bias")),
        has_head_norms=has_head_norms,
        context_tokens=config.get("max_position_embeddings"),
    )


def _size(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise ConfigError(f"the model's config.json has {name}={value!r:.60}; a whole number of 1 or more is needed")
    return value


def read_shape(model: str, *, allows_remote_code: bool = False) -> ModelShape:
    """The shape of a model in a folder, or on the Hub, from its config.json alone.

    Raises:
        UnknownFamilyError: it is of a family whose parts are not known here.
        ConfigError: there is no config that can be read, or it lacks a size.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=allows_remote_code)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ConfigError(f"model {model!r:.200} has no config.json that can be read: {reason}") from None
    return shape_from_config(config.to_dict())
