"""Chat templates of model families, the branches that a conversation without tools goes through, and tokenizers."""

import copy
from functools import cache
from typing import Any

# Qwen2.5-Instruct
QWEN_TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "{%- else %}\n"
    "    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. "
    "You are a helpful assistant.<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) "
    "or message.role == 'assistant' %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n"
)

# Qwen3: takes thinking out of the last turn, strips it and writes it anew, an empty block where there is none
QWEN3_TEMPLATE = """\
{%- for message in messages %}
    {%- if message.role == 'user' or message.role == 'system' %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].split('<think>')[-1] %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' }}
        {{- content.lstrip('\\n') + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# DeepSeek-R1's distilled models: keep the answer alone, and open the thinking block where they are asked
R1_TEMPLATE = """\
{%- for message in messages -%}
  {%- if message['role'] == 'user' -%}
    {{'<｜User｜>' + message['content']}}
  {%- endif -%}
  {%- if message['role'] == 'assistant' and message['content'] is not none -%}
    {%- set content = message['content'] -%}
    {%- if '</think>' in content -%}
      {%- set content = content.split('</think>')[-1] -%}
    {%- endif -%}{{'<｜Assistant｜>' + content + '<|im_end|>'}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<｜Assistant｜><think>\\n'}}
{%- endif %}"""

# gpt-oss: refuses channels in the content, and reads thinking from a field of its own
GPT_OSS_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message.role == 'assistant' -%}
        {%- if "<|channel|>analysis<|message|>" in message.content %}
            {{- raise_exception("You have passed a message containing <|channel|> tags in the content field.") }}
        {%- endif %}
        {%- if "thinking" in message %}
            {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}
        {%- endif %}
        {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|return|>" }}
    {%- else -%}
        {{- "<|start|>" + message.role + "<|message|>" + message.content + "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start|>assistant
{%- endif -%}"""

_WORDS = "user assistant think answer Answer: steps left Think for up to tokens. the sum is therefore Wait, so\n\n.\n"


def make_tokenizer(
    template: str | None = QWEN_TEMPLATE, *, end: str = "<|im_end|>", others: tuple[str, ...] = ()
) -> Any:
    """A tokenizer with Qwen's pre-tokenizer and this chat template.

    Args:
        end: its end token.
        others: special tokens beside ChatML's and `<|fim_pad|>`.
    """
    tokenizer = copy.deepcopy(_trained())
    tokenizer.add_special_tokens({"eos_token": end, "extra_special_tokens": ["<|im_start|>", "<|fim_pad|>", *others]})
    tokenizer.chat_template = template
    return tokenizer


@cache
def _trained() -> Any:
    from tests.inference.models import train_tokenizer

    return train_tokenizer([_WORDS] * 8)
