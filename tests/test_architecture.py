"""The house: imports point one way, pure packages stay pure, nothing grows past reading, nothing is undocumented."""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("curation", "inference", "training", "s1web", "workers")
# apps of s1web from left to right: a module imports its own group and those before it
APPS = (
    ("jobs", "pool"),
    ("vectors",),
    ("selections",),
    ("review", "exports", "experiments"),
    ("viewer", "browse"),
    ("questions", "atlas"),
    ("api",),
)
MAX_LINES = 500
HEAVY = ("django", "torch", "vllm", "transformers", "datasets")


def python_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in python_files()}


def imports_of(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names of our own modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            if name:
                yield name


def app_rank(name: str) -> int | None:
    parts = name.split(".")
    if parts[0] != "s1web" or len(parts) < 2:
        return None
    return next((rank for rank, group in enumerate(APPS) if parts[1] in group), None)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_its_own_package_and_those_to_its_left(name):
    own = PACKAGES.index(name.split(".")[0])
    rank = app_rank(name)
    for imported in imports_of(MODULES[name]):
        assert PACKAGES.index(imported.split(".")[0]) <= own, f"{name} imports {imported}, which is to its right"
        other = app_rank(imported)
        if rank is not None and other is not None:
            same_app = imported.split(".")[1] == name.split(".")[1]
            assert other < rank or same_app, f"{name} imports {imported}, an app to its right or beside it"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: sorted(set(imports_of(path)) - {name}) for name, path in MODULES.items()}
    # a package's __init__ is no part of the circle that `from package import module` would draw
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        for imported in graph[name]:
            visit(imported, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_can_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("package", ["curation", "inference", "training"])
def test_a_pure_package_loads_in_a_fresh_process_without_django_torch_or_vllm(package):
    names = sorted(name for name in MODULES if name.split(".")[0] == package)
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_web_process_starts_without_the_heavy_libraries():
    code = (
        "import os, sys, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 's1web.settings'\ndjango.setup()\n"
        "print([name for name in ('torch', 'vllm', 'transformers', 'faiss', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pure_packages_use_no_clock_no_network_and_no_global_randomness():
    forbidden = {"time", "datetime", "socket", "requests", "urllib", "httpx", "secrets", "uuid"}
    for name, path in MODULES.items():
        if name.split(".")[0] != "curation":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                used = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used = {(node.module or "").split(".")[0]}
            else:
                if isinstance(node, ast.Attribute):
                    called = ast.unparse(node)
                    assert not re.match(r"(np|numpy)\.random\.(?!Generator|PCG64)", called), f"{name}: {called}"
                    assert not re.match(r"random\.(?!Random$)", called), f"{name}: {called}"
                continue
            assert not used & forbidden, f"{name} imports {used & forbidden}"


def test_every_setting_stands_in_env_example_and_nothing_else_does():
    source = (ROOT / "s1web" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z0-9_]+)\"", source))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE))
    assert read
    assert listed == read


def own_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if str(app).startswith("s1web"))


@pytest.mark.parametrize("name", own_commands())
def test_every_option_of_every_command_is_explained_and_documented(name):
    guide = (ROOT / "docs" / "guide" / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## `?{name}\b.*?(?=^## |\Z)", guide, flags=re.MULTILINE | re.DOTALL)
    assert section, f"docs/guide/commands.md has no section for {name}"
    parser = load_command_class("s1web", name).create_parser("manage.py", name)
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        assert action.help, f"{name}: {action.dest} has no help"
        common = ("--help", "--verbosity", "--no-color")
        for option in [option for option in action.option_strings if option.startswith("--")]:
            if option not in common:
                assert f"`{option}" in section[0], f"{name} {option} is not in docs/guide/commands.md"


def test_constraints_pin_every_dependency_exactly_once():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    names = [re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines]
    assert len(names) == len(set(names))
