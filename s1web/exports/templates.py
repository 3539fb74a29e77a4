"""A tokenizer's chat template, for the layout that renders conversations."""

import os
from collections.abc import Sequence

from curation.errors import ConfigError
from training.formatting import Message, RenderChat


def load_chat_template(name: str) -> RenderChat:
    """A tokenizer's chat template as a function over messages.

    Raises:
        ConfigError: it cannot be loaded, or has no template; the function raises it where the template fails.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # whatever the library raises for names, files and networks, the user sees one line
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(f"--chat-template {name!r} cannot be loaded: {reason}; give a name or a folder") from None
    if not tokenizer.chat_template:
        raise ConfigError(f"--chat-template {name!r} has no chat template; give the tokenizer of a chat model")

    def render(conversation: Sequence[Message]) -> str:
        # a template is a program: it may raise anything
        try:
            return str(tokenizer.apply_chat_template(list(conversation), tokenize=False))
        except Exception as error:
            reason = " ".join(str(error).split())[:240]
            raise ConfigError(
                f"--chat-template {name!r} cannot render a conversation: {reason}; give another tokenizer"
            ) from None

    return render
