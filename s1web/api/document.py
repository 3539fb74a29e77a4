"""The schema of the API, and the page made of it: one description for programs and people."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.urls import include, path

from s1web.api.base import TOPICS
from s1web.api.operations import Example

_ABOUT = (
    "Reads what the pages show and does what they do. Lists come in pages, errors as application/problem+json, "
    "names that are not known are refused. The page /api/ says more."
)
# of a field within a field within a field
_DEPTH = 4


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body: `items[].text` is the field of that name of each item."""

    name: str
    kind: str
    said: str
    is_required: bool
    example: str = ""


@dataclass(frozen=True)
class Described:
    """An operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    said: str
    scope: str
    role: str
    curl: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: tuple[Field, ...]
    status: str
    media_type: str
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Topic:
    """Operations that are about the same."""

    title: str
    operations: tuple[Described, ...]


@lru_cache(maxsize=1)
def _generated() -> dict[str, Any]:
    """The schema with the examples as objects; made once a process, in a fifth of a second."""
    # what makes schemas is loaded by the first who asks for one
    from drf_spectacular.generators import SchemaGenerator

    from s1web.api.addresses import ROOT, operations

    generator = SchemaGenerator(patterns=[path(ROOT, include(operations))])
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)
    schema["info"]["description"] = _ABOUT
    schema["tags"] = [{"name": title} for title in TOPICS.values()]
    return schema


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The API as OpenAPI 3.1."""
    made = dict(_generated())
    made["paths"] = {
        address: {
            method: {name: value for name, value in found.items() if name != "x-example"}
            | {"parameters": [_shown(item, found["x-example"]) for item in found.get("parameters", ())]}
            | {"x-codeSamples": [{"lang": "Shell", "source": found["x-example"].curl(method.upper(), address)}]}
            for method, found in methods.items()
        }
        for address, methods in made["paths"].items()
    }
    return made


def examples() -> list[tuple[str, str, str, Example]]:
    """(operation, method, path, example request) of every operation."""
    return [
        (found["operationId"], method.upper(), address, found["x-example"])
        for address, methods in _generated()["paths"].items()
        for method, found in methods.items()
    ]


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """All operations by topic, for the page."""
    described: dict[str, list[Described]] = {title: [] for title in TOPICS.values()}
    for address, methods in schema()["paths"].items():
        for method, found in methods.items():
            described[found["tags"][0]].append(_describe(address, method.upper(), found))
    return tuple(Topic(title, tuple(operations)) for title, operations in described.items())


def _shown(item: dict[str, Any], example: Example) -> dict[str, Any]:
    """A parameter with the value that the example request has for it."""
    values = {**example.path, **dict(example.query)}
    if item["name"] not in values or "examples" in item:
        return item
    value = values[item["name"]]
    return item | {"example": int(value) if item["schema"].get("type") == "integer" else value}


def _describe(address: str, method: str, found: dict[str, Any]) -> Described:
    responses = found["responses"]
    status = next(code for code in responses if code < "400")
    content = responses[status].get("content", {})
    media_type = next(iter(content), "")
    body = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Described(
        name=found["operationId"],
        method=method,
        path=address,
        summary=found["summary"],
        said=_plain(found.get("description")),
        scope=found["x-scope"],
        role=found["x-role"],
        curl=found["x-codeSamples"][0]["source"],
        parameters=tuple(_parameter(item) for item in found.get("parameters", ())),
        body=tuple(_fields(body["schema"])) if body else (),
        answer=tuple(_fields(content[media_type]["schema"])) if content else (),
        status=status,
        media_type=media_type,
        failures=tuple((code, said["description"]) for code, said in responses.items() if code >= "400"),
    )


def _parameter(item: dict[str, Any]) -> Field:
    values = [example["value"] for example in item.get("examples", {}).values()]
    values += [item["example"]] if "example" in item else []
    example = values[0][0] if values and isinstance(values[0], list) else next(iter(values), "")
    return Field(
        item["name"], _kind(item["schema"]), _plain(item.get("description")), bool(item.get("required")), str(example)
    )


def _fields(found: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object, and those of the objects in it."""
    found = _resolved(found)
    required = found.get("required", ())
    for name, field in found.get("properties", {}).items():
        inner = _resolved(field)
        said = field.get("description") or inner.get("description")
        yield Field(prefix + name, _kind(field), _plain(said), name in required)
        is_list = inner.get("type") == "array"
        if depth < _DEPTH:
            below = _resolved(inner["items"]) if is_list else inner
            yield from _fields(below, f"{prefix}{name}{'[]' if is_list else ''}.", depth + 1)


def _plain(said: str | None) -> str:
    """Without the marks that tell names from words in the schema."""
    return (said or "").replace("`", "")


def _resolved(found: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for, of one that may be null what it is otherwise."""
    for several in ("allOf", "oneOf", "anyOf"):
        if several in found:
            chosen: dict[str, Any] = next((item for item in found[several] if item.get("type") != "null"), {})
            return _resolved(chosen)
    if "$ref" in found:
        resolved: dict[str, Any] = _generated()["components"]["schemas"][found["$ref"].rpartition("/")[2]]
        return resolved
    return found


def _kind(found: dict[str, Any]) -> str:
    """The type in a word or two: "text or null", "list of integer"."""
    inner = _resolved(found)
    kinds = inner.get("type", "object")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if any(item.get("type") == "null" for several in ("oneOf", "anyOf") for item in found.get(several, ())):
        names.append("null")
    words = [f"list of {_kind(inner['items'])}" if name == "array" else _WORDS.get(name, name) for name in names]
    text = " or ".join(words)
    values = inner.get("enum")
    return f"{text}: {', '.join(str(value) for value in values if value is not None)}" if values else text


_WORDS = {"string": "text", "boolean": "true or false"}
