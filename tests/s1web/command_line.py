"""`manage.py` in the test's own process; import the fixture into the module that needs it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import ManagementUtility


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object that a command printed, which ended well and said nothing else."""
        assert (self.code, self.err, self.out.count("\n")) == (0, "", 1)
        printed: dict[str, Any] = json.loads(self.out)
        return printed

    @property
    def line(self) -> str:
        """The one line on standard error."""
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removesuffix("\n")

    @property
    def refusal(self) -> str:
        """The one line of an error, with nothing printed beside it."""
        assert (self.code, self.out) == (1, "")
        return self.line


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], db: None) -> Callable[..., Ended]:
    """Runs `manage.py ARGUMENTS` in this process, on the test's database."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["manage.py", *map(str, arguments)])
        capsys.readouterr()
        try:
            ManagementUtility(sys.argv).execute()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return run
