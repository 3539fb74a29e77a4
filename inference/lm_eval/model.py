"""The class that lm-eval makes for `--model s1web`, and its registration: lm-eval has no entry points for models."""

import logging
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

from curation.errors import ConfigError, S1WebError
from inference.lm_eval.arguments import ARGUMENTS, ModelArguments, model_arguments
from inference.lm_eval.generating import Generator, Instance

NAME = "s1web"
# what lm-eval's command line gives where the user names no device
_DEFAULT_DEVICE = "cuda:0"


class UnsupportedRequestError(S1WebError):
    """lm-eval asks for something else than generation."""


def register() -> None:
    """Make `s1web` a model of lm-eval in this process; to be called before `lm_eval.simple_evaluate(model="s1web")`.

    Raises:
        ConfigError: lm-eval is not installed.
    """
    try:
        # its own models are registered where none is there yet, so they come first
        import_module("lm_eval.models")
        from lm_eval.api.registry import model_registry
    except ImportError as error:
        raise ConfigError(f"lm-eval cannot be loaded ({error}); install the extra lm-eval: s1web[lm-eval]") from None
    if NAME not in model_registry:
        model_registry.register(NAME)(model_class())


@cache
def model_class() -> type[Any]:
    """The model; made on demand, as its base is lm-eval's own."""
    from lm_eval.api.model import LM

    class S1WebLM(LM):  # type: ignore[misc]  # lm-eval carries no types
        """An engine of ours under budget forcing; see `ModelArguments` for what `--model_args` may hold."""

        def __init__(self, **values: Any) -> None:
            super().__init__()
            arguments = model_arguments({name: value for name, value in values.items() if value is not None})
            self._generator = load(arguments)
            self.tokenizer = self._generator.tokenizer
            self.max_length = self._generator.engine.context_tokens

        def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
            from tqdm import tqdm

            with tqdm(total=len(requests), disable=disable_tqdm, desc="s1web: generate_until") as bar:

                def keep(instance: Instance, response: str) -> None:
                    self.cache_hook.add_partial("generate_until", instance.args, response)
                    bar.update()

                return self._generator.generate(requests, keep)

        def loglikelihood(self, requests: Sequence[Instance]) -> NoReturn:
            _refuse("loglikelihood", requests)

        def loglikelihood_rolling(self, requests: Sequence[Instance]) -> NoReturn:
            _refuse("loglikelihood_rolling", requests)

        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            return self._generator.render(chat_history, add_generation_prompt=add_generation_prompt)

        def chat_template(self, chat_template: bool | str = False) -> str:
            if isinstance(chat_template, str):
                raise ConfigError(
                    f"chat template {chat_template!r:.60}: only the tokenizer's own is used; "
                    "give --apply_chat_template alone"
                )
            return str(getattr(self.tokenizer, "chat_template", None) or "")

        @property
        def tokenizer_name(self) -> str:
            arguments = self._generator.arguments
            return (arguments.tokenizer or arguments.pretrained).replace("/", "__")

        def get_model_info(self) -> dict[str, Any]:
            return self._generator.describe()

    return S1WebLM


def load(arguments: ModelArguments) -> Generator:
    """The engine and tokenizer that the arguments name.

    Raises:
        ConfigError: one of them cannot be loaded.
    """
    from inference.engines.registry import load_engine
    from inference.evaluation.work import load_tokenizer

    tokenizer, eos_ids = load_tokenizer(arguments.pretrained, arguments.tokenizer)
    options = _options(arguments)
    engine = load_engine(arguments.engine, arguments.pretrained, options, tokenizer, beside=ARGUMENTS)
    return Generator(arguments, engine, tokenizer, eos_ids=eos_ids)


def _options(arguments: ModelArguments) -> dict[str, Any]:
    """The engine's options, where the device that lm-eval names unasked is no more than a wish."""
    options = dict(arguments.engine_options)
    if options.get("device") != _DEFAULT_DEVICE:
        return options
    if arguments.engine == "transformers":
        import torch

        if torch.cuda.is_available():
            return options
        logging.getLogger(__name__).warning("torch finds no GPU here; the model runs on the CPU")
    del options["device"]
    return options


def _refuse(kind: str, requests: Sequence[Instance]) -> NoReturn:
    task = requests[0].task_name if requests else None
    raise UnsupportedRequestError(
        f"task {task} asks for {kind}, which forced thinking does not have; use a task of output_type "
        "generate_until, or one of lm-eval's own models (--model hf, --model vllm)"
    )
