"""Pages as they are read."""

import html
import re

from django.test import Client


def text_of(page: str) -> str:
    """The words of a page, tags and white space apart."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def get(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()
