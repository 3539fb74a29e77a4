"""The shape of a model: its parameters counted from config.json."""

import pytest

from curation.errors import ConfigError
from training.preflight.paper import QWEN_32B
from training.preflight.shape import ModelShape, UnknownFamilyError, read_shape, shape_from_config

SIZES = {
    "vocab_size": 311,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
}


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("Qwen2", {}),
        ("Qwen2", {"tie_word_embeddings": True}),
        ("Qwen2", {"num_key_value_heads": 6}),
        ("Qwen3", {"head_dim": 16}),
        ("Qwen3", {"head_dim": 16, "attention_bias": True, "tie_word_embeddings": True}),
        ("Llama", {}),
        ("Llama", {"attention_bias": True, "mlp_bias": True}),
        ("Llama", {"head_dim": 32, "tie_word_embeddings": True}),
        ("Mistral", {"head_dim": 16}),
    ],
)
def test_parameters_are_those_of_the_model_itself(family, changes, tmp_path):
    import transformers

    config = getattr(transformers, f"{family}Config")(**SIZES | changes)
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    config.save_pretrained(tmp_path)
    assert read_shape(str(tmp_path)).num_parameters == model.num_parameters()


# sizes as in the config.json of each, and its parameters as its safetensors add up to
@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        (QWEN_32B, 32_763_876_352),
        (ModelShape("qwen2", 28, 3_584, 18_944, 28, 4, 128, 152_064, False, has_qkv_bias=True), 7_615_616_512),
        (ModelShape("qwen2", 24, 896, 4_864, 14, 2, 64, 151_936, True, has_qkv_bias=True), 494_032_768),
    ],
    ids=["32B", "7B", "0.5B"],
)
def test_parameters_of_qwens_published_shapes(shape, parameters):
    assert shape.num_parameters == parameters


def test_adapters_are_two_thin_matrices_for_each_linear_map():
    shape = ModelShape("llama", 1, 8, 12, 2, 1, 4, 99, True)
    # query 8 to 8, key and value 8 to 4, output 8 to 8, gate and up 8 to 12, down 12 to 8
    assert shape.num_adapter_parameters(3) == 3 * (16 + 12 + 12 + 16 + 20 + 20 + 20)


def test_a_family_that_is_not_known_is_told_by_name():
    with pytest.raises(
        UnknownFamilyError, match=r"model_type='gpt2': memory and hours are estimated for qwen2, qwen3"
    ):
        shape_from_config({"model_type": "gpt2"})


def test_a_size_that_is_missing_is_told():
    with pytest.raises(ConfigError, match=r"hidden_size=None; a whole number of 1 or more is needed"):
        shape_from_config({"model_type": "qwen2", **SIZES, "hidden_size": None})


def test_a_folder_without_config_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"has no config.json that can be read"):
        read_shape(str(tmp_path))
