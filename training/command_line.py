"""What every command on a run takes: its file, and settings in place of the file's own."""

import argparse
from pathlib import Path


def run_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser of `run` and `--set`, which `config.read_config_with` reads.

    Args:
        module: what stands behind `python -m`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("run", type=Path, help="a JSON file that describes the run; docs/guide/training.md")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in place of the file's own")
    return parser
