"""Files that appear whole, so that nobody reads half of one, and locks among processes."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SHARED_FOLDER: Final = "FASTLAUNCH_NB_SHARED"
"""The variable of the environment with a private folder that a server gives to all its pages."""


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a hidden name, which then replaces its own; it outlives a crash."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    with suppress(OSError):  # some systems cannot sync a folder, so that the name outlives, too
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold a lock for the readers and writers of a file; the system frees that of a dead process.

    The lock is a hidden file in its folder, which stays: to remove it would need another lock.
    """
    with path.with_name(f".{path.name}.lock").open("a") as file:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases it
