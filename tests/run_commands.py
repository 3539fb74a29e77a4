"""Runs commands one after another in this one process: echo '[["migrate"], ["curate", ...]]' | python -m ..."""

import json
import sys

import django
from django.core.management import call_command


def main() -> None:
    for name, *arguments in json.load(sys.stdin):
        if name == "migrate":
            call_command(name, verbosity=0)
        else:
            call_command(name, *arguments, "--json")


if __name__ == "__main__":
    django.setup()
    main()
