"""No secret of a proxy or an endpoint reaches a message, a warning or a row of the coverage."""

from __future__ import annotations

import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3
import botocore.session
import pytest
from botocore.config import Config
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from tests.helpers.fake_aws import FakeAWS, build_response
from tests.helpers.samples import REGION

PLACES = [
    *("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS"),
    *("profile", "services", "Config"),
]
"""Variables, a profile's own setting, its section of services, and botocore's Config(proxies=)."""
PARTS = ["user", "password", "query"]
FAILURES = ["refused", "closed", "unknown name", "TLS", "no port"]
PRINTABLE = "".join(map(chr, range(0x20, 0x7F))) + "éß漢🔑"


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name leads to an address."""
    find_real = socket.getaddrinfo

    def find(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in ("127.0.0.1", b"127.0.0.1"):
            return find_real(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAWS]:
    """A proxy and an AWS that require a password."""
    with FakeAWS(lambda _: build_response("", 407), lambda _: build_response("", 407)) as running:
        yield running


def make_url(failure: str, part: str, port: int, secret: str) -> str:
    """Return the address of a proxy or an endpoint that fails, with a secret in it."""
    scheme, host = {
        "refused": ("http", f"127.0.0.1:{port}"),
        "closed": ("http", "127.0.0.1:1"),
        "unknown name": ("http", "proxy.invalid:3128"),
        "TLS": ("https", f"127.0.0.1:{port}"),
        "no port": ("http", "127.0.0.1:port"),
    }[failure]
    if part == "query":
        return f"{scheme}://{host}/?token={secret}"
    userinfo = f"{secret}:pass" if part == "user" else f"reader:{secret}"
    return f"{scheme}://{userinfo}@{host}"


def open_session(place: str, url: str, folder: Path, patch: pytest.MonkeyPatch) -> boto3.Session:
    """Return a session with keys of its own whose proxy or endpoint is at an address."""
    for name in (*PLACES, "no_proxy", "NO_PROXY"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_MAX_ATTEMPTS", "1")
    config, session = "[default]\n", botocore.session.Session()
    if place == "profile":
        config += f"endpoint_url = {url}\n"
    elif place == "services":
        config += f"services = all\n[services all]\nec2 =\n  endpoint_url = {url}\n"
    elif place == "Config":
        proxies = {"http": url, "https": url}
        session.set_default_client_config(Config(proxies=proxies))
    else:
        patch.setenv(place, url)
    if place.lower() == "http_proxy":
        patch.setenv("AWS_ENDPOINT_URL", "http://ec2.invalid")
    (folder / "config").write_text(config, "utf-8")
    return boto3.Session("AKIA123456789012", "secret", botocore_session=session, region_name=REGION)


def collect_texts(session: boto3.Session) -> str:
    """Return everything that describe and sweep say about a session whose requests fail."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True, action="always") as caught:
        try:
            fl.describe(session)
        except fl.FastLaunchError as error:
            texts += [str(error), repr(error), repr(vars(error))]
        swept = fl.sweep(session, regions=REGION, progress=False)
        texts += [str(row) for row in swept.coverage.to_dict("records")]
    return "\n".join([*texts, *(str(warning.message) for warning in caught)])


def find_leaks(secret: str, text: str) -> list[str]:
    """Return the forms of a secret, and of its parts between delimiters, that a text has."""
    forms = {secret, secret.strip(), unquote(secret), quote(secret), quote(secret, safe="")}
    parts = {part for form in forms for part in re.split(r"[/?#@:&=\[\]\\]", form)}
    words = {form.lower() for form in forms | parts if len(set(form)) > 3}
    return sorted(word for word in words if word in text.lower())


SECRETS = st.text(PRINTABLE, min_size=4, max_size=20)
OTHER_SECRET = "Zq9xJw7kVb"


@given(SECRETS, st.tuples(st.sampled_from(PLACES), st.sampled_from(PARTS)))
@example("pass/word#hun?ter2@here", ("HTTPS_PROXY", "password"))
@example("pass/word#hun?ter2@here", ("services", "password"))
@example("p%41ss%2Fword", ("AWS_ENDPOINT_URL_EC2", "query"))
@example("two words", ("Config", "user"))
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.usefixtures("no_names")
def test_no_text_has_a_secret_of_an_address(
    server: FakeAWS, tmp_path: Path, failure: str, secret: str, where: tuple[str, str]
) -> None:
    """Law: no text has the user, password or query of a proxy or an endpoint, whatever fails.

    It has them in no encoding, and no part of them where a delimiter is unescaped.
    """
    port = int(server.endpoint_url.rpartition(":")[2])
    place, part = where
    texts = {}
    for text in (secret, OTHER_SECRET):
        with pytest.MonkeyPatch.context() as patch:
            url = make_url(failure, part, port, text)
            texts[text] = collect_texts(open_session(place, url, tmp_path, patch))
    assert "'status': 'failed'" in texts[secret]
    # A secret may be a word of our own, which Hypothesis tries: then it is in any such text.
    assert set(find_leaks(secret, texts[secret])) <= set(find_leaks(secret, texts[OTHER_SECRET]))
    assert find_leaks(OTHER_SECRET, texts[OTHER_SECRET]) == []
