"""The AWS CLI for tests, in an environment of its own, as its pinned versions differ from ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from tests.helpers.samples import run

AWS_CLI: Final = "awscli<2"  # version 2 is not a Python package


def install_aws_cli(folder: Path) -> Path:
    """Install the AWS CLI into a folder; return its program."""
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    try:
        run(find_uv_bin(), "pip", "install", "--python", python, AWS_CLI, cwd=folder)
    except AssertionError:  # as in the Makefile: pip may use a mirror that uv does not
        run(sys.executable, "-m", "pip", "--python", python, "install", AWS_CLI, cwd=folder)
    return folder / "bin" / "aws"
