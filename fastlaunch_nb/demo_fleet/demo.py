"""The demo fleet: a small Windows estate in the embedded EC2, and the way boto3 finds it.

While it runs, the demo owns everything that decides where boto3 sends a request
and as whom: all ``AWS_*`` variables, the configuration and credentials files,
the proxies, boto3's default session. It puts all of it back when it stops.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fastlaunch_nb.aws.clients import keyed_session, swap_default_session
from fastlaunch_nb.demo_fleet.scenario import ACCOUNTS, REGIONS, populate
from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError

if TYPE_CHECKING:
    import boto3

    from fastlaunch_nb.demo_fleet.sample_history import SampleHistory
    from fastlaunch_nb.emulator.clock import Clock

KEY = "demo"  # access key and secret key: nothing checks them
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_STOPPED = "The demo has stopped. Start another: fastlaunch_nb.demo_fleet()"
_running: Demo | None = None


def demo(
    seed: int = 0,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    faults: Mapping[str, Any] | None = None,
) -> Demo:
    """Start the embedded EC2 with the demo fleet, and point boto3 at it.

    One demo runs at a time: starting another stops the first. Use it as a
    context manager, or call ``stop()``, to have everything put back.

    Parameters
    ----------
    seed : int, default 0
        The same seed makes the same fleet, in every process.
    port : int, default 0
        Where to listen; 0 takes a free port.
    host : str, default "127.0.0.1"
        The address to listen at; that one is for this machine only.
    faults : dict, optional
        What goes wrong on purpose, such as ``{"throttle_rate": 0.3}``: fields of
        :class:`fastlaunch_nb.emulator.Faults`, each described there.

    Returns
    -------
    Demo
        With ``endpoint_url``, ``session``, ``clock``, ``history``, ``accounts``,
        ``regions`` and ``stop()``.

    Raises
    ------
    MissingExtraError
        moto is not installed.
    InputError
        The port is taken, or there is no such fault.

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
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise InputError(f"port is {port!r}. Expected a whole number from 0 to 65535.")
    if _running is not None:
        _running.stop()
    _running = Demo(seed, port, host, faults)
    return _running


class Demo:
    """A running demo; made by :func:`demo`.

    Attributes
    ----------
    endpoint_url : str
        Where the embedded EC2 listens.
    accounts : dict
        Account id to account name; the names are profiles of boto3 as well.
    regions : tuple of str
        The regions that have images.
    clock : Clock
        The embedded EC2's time, which moves when ``clock.advance(hours=6)`` says
        so, or with real time after ``clock.run()``.
    environment : dict
        The variables that point any AWS client at it, where no other ``AWS_*`` is set.
    """

    accounts = ACCOUNTS
    regions = REGIONS

    def __init__(
        self,
        seed: int,
        port: int,
        host: str = "127.0.0.1",
        faults: Mapping[str, Any] | None = None,
    ) -> None:
        self._server: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="fastlaunch_nb-demo-")
        self._default_session = swap_default_session(None)
        self._saved: dict[str, str] | None = _take_over_environment()
        try:
            with _uncollected():
                self._start(seed, port, host)
            _set_faults(_emulator(), faults or {})
        except BaseException:
            self.stop()
            raise

    def _start(self, seed: int, port: int, host: str) -> None:
        emulator = _emulator()
        self.clock: Clock = emulator.CLOCK
        self._server = _serve(emulator, port, host)
        self.endpoint_url: str = self._server.endpoint_url
        self.environment = _write_profiles(Path(self._folder.name), self.endpoint_url)
        os.environ.update(self.environment)
        self._session = keyed_session(KEY, KEY, REGIONS[0])
        self.images = populate(emulator, seed)

    @property
    def session(self) -> boto3.Session:
        """A boto3 session of the first account; ``boto3.Session(profile_name=...)`` for others.

        Its keys are the demo's own: it never comes to use anybody's credentials.
        """
        if self._saved is None:
            raise FastLaunchError(_STOPPED)
        return self._session

    @property
    def history(self) -> SampleHistory:
        """The week that ends now, as a reader who looked every six hours would have it."""
        if self._saved is None:
            raise FastLaunchError(_STOPPED)
        with _uncollected():
            from fastlaunch_nb.demo_fleet.sample_history import history_of  # which loads pandas

        with self.clock.still() as now:
            return history_of(_emulator(), now)

    def stop(self) -> None:
        """Stop the embedded EC2 and put the environment back; again does no harm."""
        global _running
        if self._server is not None:
            self._server.stop()
            self._server = None
            _emulator().FAULTS.clear()
        if self._saved is not None:
            _restore_environment(self._saved)
            swap_default_session(self._default_session)
            self._folder.cleanup()
            self._saved = None
        if _running is self:
            _running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return (
            f"<demo data: {self.images} images in {len(self.accounts)} accounts "
            f"and {len(self.regions)} regions>"
        )


def need_extra() -> None:
    """Refuse where the embedded EC2 is not installed."""
    _emulator()


def _emulator() -> Any:
    try:
        from fastlaunch_nb import emulator
    except ImportError as error:
        raise MissingExtraError("demo", "The demo") from error
    return emulator


@contextmanager
def _uncollected() -> Iterator[None]:
    """Have Python's garbage collector wait while much is loaded that stays.

    It would look through all of it again and again, for a fifth of the time that
    the demo takes to start. Afterwards all of it counts as old.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else these are somebody's, and stay frozen
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


def _set_faults(emulator: Any, faults: Mapping[str, Any]) -> None:
    try:
        emulator.FAULTS.set(emulator.Faults(**faults))
    except (TypeError, ValueError) as error:
        raise InputError(f"faults: {error}") from None


def _serve(emulator: Any, port: int, host: str) -> Any:
    try:
        return emulator.Server(port, host)
    except OSError as error:
        raise InputError(
            f"port {port} can not be used at {host} ({error.strerror}). "
            "Pass another, or 0 for a free one."
        ) from None


# --- the environment ------------------------------------------------------------------


def _is_owned(name: str) -> bool:
    return name.startswith(("AWS_", "MOTO_")) or name.lower() in _PROXIES


def _take_over_environment() -> dict[str, str]:
    """Take every variable away that could lead elsewhere; return what they were."""
    saved = {name: value for name, value in os.environ.items() if _is_owned(name)}
    for name in saved:
        del os.environ[name]
    # Before moto makes an EC2, which otherwise loads some 1,290 AMIs a region.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    return saved


def _restore_environment(saved: dict[str, str]) -> None:
    for name in [name for name in os.environ if _is_owned(name)]:
        del os.environ[name]
    os.environ.update(saved)


def _write_profiles(folder: Path, endpoint_url: str) -> dict[str, str]:
    """Write a profile an account, and return the variables that lead to them and nowhere else."""
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
        "AWS_DISABLE_CLOCK_SKEW_CORRECTION": "true",  # the JavaScript SDK retries else
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
