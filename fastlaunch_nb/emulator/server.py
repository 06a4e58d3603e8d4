"""The embedded EC2 over HTTP, on this machine only."""

from __future__ import annotations

import socket
from email.utils import format_datetime
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.control_api import Control
from fastlaunch_nb.emulator.faults import Unreliable
from fastlaunch_nb.emulator.moto_extension import install

HOST = "127.0.0.1"


class _Handler(MotoRequestHandler):
    """Answers with the virtual clock's date, and keeps quiet about it."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(CLOCK.now(), usegmt=True)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the base class's
        return

    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        self.close_connection = True  # or it would wait there for another request


def application() -> Any:
    """Return all of it as a WSGI application: moto, what goes wrong on the way, our own pages."""
    return Control(Unreliable(DomainDispatcherApplication(create_backend_app)))


class Server:
    """All of moto, with Fast Launch, at :attr:`endpoint_url` until it is stopped.

    Parameters
    ----------
    port : int, default 0
        Where to listen; 0 takes a free port.
    host : str, default "127.0.0.1"
        The address to listen at. Whoever reaches another than this one needs no
        credentials: there is nothing behind it but made-up data.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, port: int = 0, host: str = HOST) -> None:
        install()
        self._host = host
        with socket.create_server((host, port)) as listener:  # raises; werkzeug would exit
            self._server = make_server(
                host,
                port,
                application(),
                threaded=True,
                request_handler=_Handler,
                fd=listener.fileno(),
            )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        """Where it answers on this machine."""
        host = HOST if self._host in ("0.0.0.0", "") else self._host  # noqa: S104
        return f"http://{host}:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop listening and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
