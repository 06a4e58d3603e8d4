"""The error that an action of the emulator raises, for EC2's answer."""

from __future__ import annotations


class EC2Error(Exception):
    """An error as EC2 answers it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
