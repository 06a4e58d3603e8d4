"""Commands of the command line, run in this process."""

from __future__ import annotations

import pytest

from fastlaunch_nb.cli.main import main


def run_command(
    capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> tuple[str, str]:
    """Run a command, which must exit with a code; return what it prints on stdout and stderr."""
    assert main(arguments) == code
    printed = capsys.readouterr()
    return printed.out, printed.err
