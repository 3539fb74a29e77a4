"""How texts and grades of a question are shown."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from s1web.questions import showing

register = template.Library()


@register.filter
def reveal(text: Any) -> SafeString:
    """Hostile text, see `showing.reveal`."""
    return showing.reveal(str(text))


@register.filter
def isolated(text: Any) -> SafeString:
    """A hostile name within a line: what it does to the direction of writing ends with it."""
    return format_html("<bdi>{}</bdi>", showing.reveal(str(text)))
