"""The emulator's HTTP server."""

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
from fastlaunch_nb.emulator.control_api import ControlApi
from fastlaunch_nb.emulator.demo_guard import DemoGuard
from fastlaunch_nb.emulator.faults import UnreliableConnections
from fastlaunch_nb.emulator.moto_extension import install
from fastlaunch_nb.emulator.rest_json_api import RestJsonApi

HOST = "127.0.0.1"


class _Handler(MotoRequestHandler):
    """A request handler that sends the virtual clock's date and logs nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(CLOCK.now(), usegmt=True)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  the base class's
        return

    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        self.close_connection = True  # otherwise it would wait for another request


def make_application() -> Any:
    """Return the emulator as a WSGI application: moto, and what is added around it."""
    moto = UnreliableConnections(DomainDispatcherApplication(create_backend_app))
    return ControlApi(RestJsonApi(moto))


class Server:
    """A running server of moto with Fast Launch, at :attr:`endpoint_url`.

    Parameters
    ----------
    port : int, default 0
        The port to listen on; 0 means any free port.
    host : str, default "127.0.0.1"
        The address to listen on. With another address, anyone who can reach it needs no
        credentials; there is only generated data behind it.
    access_key : str, optional
        The only access key to accept, besides those of roles that were assumed with it; by
        default every key.

    Raises
    ------
    OSError
        If the port is in use.
    ValueError
        If `host` is empty, which would mean every address of this machine.
    """

    def __init__(self, port: int = 0, host: str = HOST, access_key: str | None = None) -> None:
        if not isinstance(host, str) or not host.strip():
            raise ValueError(
                f"host is {host!r}. Expected an address to listen on, such as {HOST!r} for this "
                "machine only, or '0.0.0.0' for every machine that can reach this one."
            )
        install()
        application = make_application()
        if access_key is not None:
            application = DemoGuard(application, access_key, host)
        self._host = host
        with socket.create_server((host, port)) as listener:  # raises OSError; werkzeug would exit
            fd = listener.fileno()
            self._server = make_server(
                host, port, application, threaded=True, request_handler=_Handler, fd=fd
            )
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        """The address of the server, for clients on this machine."""
        host = HOST if self._host == "0.0.0.0" else self._host  # noqa: S104
        return f"http://{host}:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop the server and free its port; in a fork, leave the server to its own process."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
