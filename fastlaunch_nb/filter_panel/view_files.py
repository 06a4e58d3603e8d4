"""Views by name, in a JSON file that several processes may share.

A change reads the file again, so that it loses no view of another process, and holds a lock
meanwhile. The file is replaced as a whole: nobody ever reads half of it, also after a crash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from fastlaunch_nb.errors import InputError, SetupError
from fastlaunch_nb.whole_files import lock_file, write_file

MAX_NAME: Final = 80
"""Characters of the name of a view."""
_VERSION: Final = 1


class Views(MutableMapping[str, dict[str, Any]]):
    """Views by name: in a file, or without a path only in this object.

    A view is not checked here: the panel checks it when it opens.

    Examples
    --------
    >>> views = Views(None)
    >>> views["failed"] = {"filters": {"state": ["enabling-failed"]}}
    >>> views
    Views: failed
    >>> views["failed"]
    {'filters': {'state': ['enabling-failed']}}
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = None if path is None else Path(path).absolute()
        self._in_memory: dict[str, dict[str, Any]] = {}
        self._read()  # so that a path that cannot be used is refused at once

    @property
    def path(self) -> Path | None:
        """The file; None if the views are only in this object."""
        return self._path

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._read(), key=str.casefold))

    def __len__(self) -> int:
        return len(self._read())

    def __setitem__(self, name: str, view: dict[str, Any]) -> None:
        name = check_name(name)
        with self._change() as views:
            views[name] = view

    def __delitem__(self, name: str) -> None:
        with self._change() as views:
            del views[name]

    def __repr__(self) -> str:
        return f"Views: {', '.join(self) or 'none'}"

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None:
            return self._in_memory
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeError) as error:
            raise SetupError(f"{str(self._path)!r} could not be read: {error}.") from None
        return _parse_file(self._path, text)

    @contextmanager
    def _change(self) -> Iterator[dict[str, dict[str, Any]]]:
        """Yield the views for a change, which is then in the file."""
        if self._path is None:
            yield self._in_memory
            return
        try:
            with lock_file(self._path):
                views = self._read()
                yield views
                data = {"version": _VERSION, "views": views}
                text = json.dumps(data, indent=2, ensure_ascii=False)
                write_file(self._path, f"{text}\n".encode())
        except OSError as error:
            raise SetupError(f"{str(self._path)!r} could not be written: {error}.") from None


def check_name(name: object) -> str:
    """Return the name of a view without spaces around it; refuse an empty or a long one."""
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise InputError(f"The name of a view is {name!r}. Expected 1 to {MAX_NAME} letters.")
    return text


def _parse_file(path: Path, text: str) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    views = data.get("views") if isinstance(data, dict) else None
    if not isinstance(views, dict) or not all(isinstance(view, dict) for view in views.values()):
        raise InputError(f"{str(path)!r} is no file of views. Choose another file, or remove it.")
    if data.get("version") != _VERSION:
        raise InputError(f"{str(path)!r} has views of another release, {data.get('version')!r}.")
    return views
