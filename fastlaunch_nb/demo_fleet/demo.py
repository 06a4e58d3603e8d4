"""The running demo: its emulator, and the environment that leads boto3 to it.

While it runs, the demo owns everything that decides where boto3 sends requests and with
which credentials: all ``AWS_*`` variables, the configuration and credentials files, the
proxies, boto3's default session. It restores all of them when it stops.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fastlaunch_nb.aws.sessions import create_session_with_keys, swap_default_session
from fastlaunch_nb.aws.targets import is_sweep_running
from fastlaunch_nb.demo_fleet.account_regions import ACCOUNTS, REGIONS
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.threads import ForkSafeLock

if TYPE_CHECKING:
    import boto3

    from fastlaunch_nb.demo_fleet.sample_history import SampleHistory

KEY = "demo"  # the access key, and the secret key, which nothing checks
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_STOPPED = "The demo has stopped. Start another: fastlaunch_nb.demo()"
_running: Demo | None = None
_START_LOCK = ForkSafeLock()  # as a demo that starts stops the one before


def demo(
    seed: int = 0,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    faults: Mapping[str, Any] | None = None,
) -> Demo:
    """Start an EC2 emulator with the demo fleet, and point boto3 at it.

    Only one demo runs at a time: starting another stops the first. Use it as a context
    manager, or call ``stop()``, to restore the environment.

    Parameters
    ----------
    seed : int, default 0
        The same seed makes the same fleet, in every process.
    port : int, default 0
        The port to listen on; 0 means any free port.
    host : str, default "127.0.0.1"
        The address to listen on; the default is for this machine only. With another one, every
        machine that can reach it can read and change the fleet.
    faults : dict, optional
        Faults to inject, such as ``{"throttle_rate": 0.3}``: the parameters of
        :class:`fastlaunch_nb.emulator.faults.Faults`.

    Returns
    -------
    Demo
        The running demo, with ``endpoint_url``, ``session``, ``clock``, ``history``,
        ``accounts``, ``regions`` and ``stop()``.

    Raises
    ------
    MissingExtraError
        If moto is not installed.
    InputError
        If the port or host cannot be used, the faults are invalid, a sweep is running, or
        moto's ``mock_aws`` is active.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     images = fl.describe(region="us-east-1")
    >>> demo
    <demo data: 42 images in 2 accounts and 3 regions>
    >>> images["account_id"].map(demo.accounts).unique().tolist()
    ['build-farm']
    """
    global _running
    port = parse_count("port", port, most=65535)
    with _START_LOCK, _pause_garbage_collection():
        _check_surroundings()
        if _running is not None:
            _running.stop()
        _running = Demo(seed, port, host, faults)
    return _running


class Demo:
    """A running demo; made by :func:`demo`.

    Attributes
    ----------
    endpoint_url : str
        The address of the emulator.
    accounts : dict
        Account id to account name; the names are also profiles of boto3.
    regions : tuple of str
        The regions that have images.
    clock : Clock
        The emulator's time. ``clock.advance(hours=6)`` moves it; after ``clock.run()`` it
        runs with real time.
    environment : dict
        The variables that point any AWS client at the demo, if no other ``AWS_*`` is set.
    """

    accounts = ACCOUNTS
    regions = REGIONS
    clock = CLOCK

    def __init__(
        self, seed: int, port: int, host: str = "127.0.0.1", faults: Mapping[str, Any] | None = None
    ) -> None:
        with ExitStack() as stack:
            stack.callback(swap_default_session, swap_default_session(None))
            stack.callback(os.environ.update, _remove_owned_variables())
            stack.callback(_remove_owned_variables)
            # Set before moto creates a backend: it would load some 1,290 AMIs per region.
            os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
            self._start(stack, seed, port, host, faults or {})
            self._cleanup = stack.pop_all()

    def _start(
        self, stack: ExitStack, seed: int, port: int, host: str, faults: Mapping[str, Any]
    ) -> None:
        from fastlaunch_nb.demo_fleet.scenario import populate
        from fastlaunch_nb.emulator.faults import FAULTS, Faults
        from fastlaunch_nb.emulator.moto_extension import mark_backends
        from fastlaunch_nb.emulator.server import Server

        try:
            server = Server(port, host, KEY)
        except OSError as error:
            raise InputError(
                f"port {port} cannot be used at {host} ({error.strerror}). "
                "Pass another port, or 0 for a free one."
            ) from None
        except ValueError as error:
            raise InputError(str(error)) from None
        stack.callback(FAULTS.clear)
        stack.callback(server.stop)
        self.endpoint_url = server.endpoint_url
        folder = tempfile.mkdtemp(prefix="fastlaunch_nb-demo-")
        stack.callback(weakref.finalize(self, _remove_folder, folder, os.getpid()))
        self.environment = _write_profiles(Path(folder), self.endpoint_url)
        os.environ.update(self.environment)
        self._session: boto3.Session | None = create_session_with_keys(KEY, KEY, REGIONS[0])
        self.images = populate(seed)
        mark_backends()
        try:
            FAULTS.set(Faults(**faults))
        except (TypeError, ValueError) as error:
            raise InputError(f"faults: {error}") from None

    @property
    def session(self) -> boto3.Session:
        """A boto3 session of the first account; ``boto3.Session(profile_name=...)`` for others.

        It has keys of its own and never uses your credentials.
        """
        if self._session is None:
            raise FastLaunchError(_STOPPED)
        return self._session

    @property
    def history(self) -> SampleHistory:
        """The week that ends now, as scanned every six hours."""
        if self._session is None:
            raise FastLaunchError(_STOPPED)
        with _pause_garbage_collection():  # pandas is large
            from fastlaunch_nb.demo_fleet.sample_history import make_history

        with self.clock.still() as now:
            return make_history(now)

    def stop(self) -> None:
        """Stop the emulator and restore the environment; calling it again has no effect."""
        global _running
        self._cleanup.close()
        self._session = None
        if _running is self:
            _running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return (
            f"<demo data: {self.images} images in {len(self.accounts)} accounts "
            f"and {len(self.regions)} regions>"
        )


def _remove_folder(folder: str, owner: int) -> None:
    """Remove the profiles of a demo, unless this is a fork of the process that needs them."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _check_surroundings() -> None:
    """Refuse to start where the demo and something else would redirect each other's requests."""
    if is_sweep_running():
        raise InputError(
            "A sweep is running in this process, and the demo would redirect what it reads next. "
            "Start the demo when the sweep has ended."
        )
    require_extra()
    from fastlaunch_nb.emulator.moto_extension import is_mock_active

    if is_mock_active():
        raise InputError(
            "moto's mock_aws is active, and answers in place of the demo. Start the demo outside "
            "of mock_aws."
        )


def require_extra() -> None:
    """Raise MissingExtraError if moto or its server is not installed."""
    try:
        import fastlaunch_nb.emulator.server  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("demo", "The demo") from error


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Pause Python's garbage collector while large modules and data are loaded.

    It would scan all of them repeatedly, which takes a fifth of the demo's start time.
    Afterwards all of them count as old.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # otherwise unfreeze() would undo a freeze() of the user
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


# --- the environment ------------------------------------------------------------------


def _remove_owned_variables() -> dict[str, str]:
    """Remove every variable that could lead boto3 elsewhere; return the removed variables."""
    names = [
        name
        for name in os.environ
        if name.startswith(("AWS_", "MOTO_")) or name.lower() in _PROXIES
    ]
    return {name: os.environ.pop(name) for name in names}


def _write_profiles(folder: Path, endpoint_url: str) -> dict[str, str]:
    """Write a profile for each account; return the variables that make AWS clients use them."""
    common = f"region = {REGIONS[0]}\nendpoint_url = {endpoint_url}\n"
    sections = [f"[default]\n{common}"]
    for account_id, name in ACCOUNTS.items():
        role = f"role_arn = arn:aws:iam::{account_id}:role/demo\nsource_profile = default\n"
        sections.append(f"[profile {name}]\n{common}{role}")
    (folder / "config").write_text("\n".join(sections))
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n"
    )
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": REGIONS[0],
        "AWS_REGION": REGIONS[0],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_CLOCK_SKEW_CORRECTION": "true",  # otherwise the JavaScript SDK retries
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
