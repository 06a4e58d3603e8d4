"""The demo fleet: a small Windows estate in the embedded EC2, and the way boto3 finds it.

While it runs, the demo owns everything that decides where boto3 sends a request
and as whom: all ``AWS_*`` variables, the configuration and credentials files,
the proxies, boto3's default session. It puts all of it back when it stops.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fastlaunch_nb import aws
from fastlaunch_nb.errors import FastLaunchError, InputError, MissingExtraError

if TYPE_CHECKING:
    import boto3

    from fastlaunch_nb.emulator import Clock, FastLaunchImage

ACCOUNTS = {"123456789012": "build-farm", "111122223333": "game-servers"}
KEY = "demo"  # access key and secret key: nothing checks them
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")

_FAMILIES = {  # account name: what its images are for, each with its launch template
    "build-farm": {
        "win2022-base": None,
        "win2025-base": None,
        "win2022-vs2022-agent": "build-agent",
        "win2022-gitlab-runner": "gitlab-runner",
    },
    "game-servers": {
        "win2022-game-server": "game-server",
        "win2025-game-server": "game-server",
        "win2019-legacy-lobby": None,
    },
}
_RELEASES = ("2025.11", "2026.01")
_STATES = (  # how many images are in each state
    *["enabled"] * 28,
    *["enabling"] * 3,
    *["enabled-failed"] * 3,
    *["enabling-failed"] * 3,
    *["disabling"] * 3,
    *["disabling-failed"] * 2,
)
_HOURS_AGO = {  # how long ago an image may have got into its state
    "enabled": (30, 1200),
    "enabling": (0.1, 1),
    "enabled-failed": (5, 90),
    "enabling-failed": (2, 300),
    "disabling": (0.2, 2),
    "disabling-failed": (20, 200),
}
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_running: Demo | None = None


def demo(seed: int = 0, *, port: int = 0) -> Demo:
    """Start the embedded EC2 with the demo fleet, and point boto3 at it.

    One demo runs at a time: starting another stops the first. Use it as a
    context manager, or call ``stop()``, to have everything put back.

    Parameters
    ----------
    seed : int, default 0
        The same seed makes the same fleet, in every process.
    port : int, default 0
        Where to listen, on this machine only; 0 takes a free port.

    Returns
    -------
    Demo
        With ``endpoint_url``, ``session``, ``clock``, ``accounts``, ``regions``
        and ``stop()``.

    Raises
    ------
    MissingExtraError
        moto is not installed.
    InputError
        The port is taken.

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
    _running = Demo(seed, port)
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
        The embedded EC2's time, which moves when ``clock.advance(hours=6)`` says so.
    environment : dict
        The variables that point any AWS client at it, where no other ``AWS_*`` is set.
    """

    accounts = ACCOUNTS
    regions = REGIONS

    def __init__(self, seed: int, port: int) -> None:
        self._server: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="fastlaunch_nb-demo-")
        self._default_session = aws.swap_default_session(None)
        self._saved: dict[str, str] | None = _take_over_environment()
        try:
            emulator = _emulator()
            self.clock: Clock = emulator.CLOCK
            self._server = _serve(emulator, port)
            self.endpoint_url: str = self._server.endpoint_url
            self.environment = _write_profiles(Path(self._folder.name), self.endpoint_url)
            os.environ.update(self.environment)
            self._session = aws.keyed_session(KEY, KEY, REGIONS[0])
            self.images = _populate(emulator, seed, self.clock.now())
        except BaseException:
            self.stop()
            raise

    @property
    def session(self) -> boto3.Session:
        """A boto3 session of the first account; ``boto3.Session(profile_name=...)`` for others.

        Its keys are the demo's own: it never comes to use anybody's credentials.
        """
        if self._saved is None:
            raise FastLaunchError("The demo has stopped. Start another: fastlaunch_nb.demo()")
        return self._session

    def stop(self) -> None:
        """Stop the embedded EC2 and put the environment back; again does no harm."""
        global _running
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._saved is not None:
            _restore_environment(self._saved)
            aws.swap_default_session(self._default_session)
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


def _emulator() -> Any:
    try:
        from fastlaunch_nb import emulator
    except ImportError as error:
        raise MissingExtraError("demo", "The demo") from error
    return emulator


def _serve(emulator: Any, port: int) -> Any:
    try:
        return emulator.Server(port)
    except OSError as error:
        raise InputError(
            f"port {port} can not be used ({error.strerror}). Pass another, or 0 for a free one."
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
        "NO_PROXY": "*",
        "no_proxy": "*",
    }


# --- the fleet ------------------------------------------------------------------------


def _populate(emulator: Any, seed: int, now: datetime) -> int:
    """Put the fleet into the embedded EC2; return how many images it has."""
    emulator.forget_everything(seed)
    images = 0
    for account_id, region, name, image in _fleet(emulator, random.Random(seed), now):
        ec2 = emulator.backend(account_id, region)
        ec2.add_fast_launch_image(image)
        ec2.add_windows_image(image.image_id, name=name, owner_id=account_id)
        images += 1
    return images


def _fleet(
    emulator: Any, rng: random.Random, now: datetime
) -> Iterator[tuple[str, str, str, FastLaunchImage]]:
    """Yield account, region, image name and image: every family, release and region."""
    states = list(_STATES)
    rng.shuffle(states)
    templates = {
        template: f"lt-{rng.getrandbits(68):017x}"
        for families in _FAMILIES.values()
        for template in families.values()
        if template is not None
    }
    for account_id, account in ACCOUNTS.items():
        for family, template in _FAMILIES[account].items():
            for release in _RELEASES:
                for region in REGIONS:
                    image = emulator.FastLaunchImage(
                        image_id=f"ami-{rng.getrandbits(68):017x}",
                        owner_id=account_id,
                        launch_template_id=templates.get(template or ""),
                        launch_template_name=template,
                        launch_template_version=template and str(rng.randint(1, 9)),
                        target_resource_count=rng.choice((5, 5, 10, 20, 40)),
                        max_parallel_launches=rng.choice((6, 6, 6, 10, 20)),
                        **_state(rng, states.pop(), now),
                    )
                    yield account_id, region, f"{family}-{release}", _with_gaps(rng, image)


def _state(rng: random.Random, state: str, now: datetime) -> dict[str, Any]:
    hours = rng.uniform(*_HOURS_AGO[state])
    reason = "Client.UserInitiated"
    if state.endswith("-failed"):
        reason = f"Unable to stop instance ID=i-{rng.getrandbits(68):017x} for snapshot creation."
    since = (now - timedelta(hours=hours)).replace(microsecond=rng.randrange(1000) * 1000)
    return {
        "state": state,
        "state_transition_reason": reason,
        "state_transition_time": since,
    }


def _with_gaps(rng: random.Random, image: FastLaunchImage) -> FastLaunchImage:
    """Leave fields out now and then, as AWS does: any of them may be missing."""
    gaps: tuple[dict[str, Any], ...] = (
        {"owner_id": None},  # an AMI that another account shared
        {"target_resource_count": None},
        {"max_parallel_launches": None},
        {"state_transition_reason": None},
    )
    return replace(image, **rng.choice(gaps)) if rng.random() < 0.2 else image
