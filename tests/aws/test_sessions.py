"""One road to AWS: EC2, STS and S3 get the same credentials, region, endpoint, proxy and CA."""

from __future__ import annotations

import datetime as dt
import getpass
import ipaddress
import json
import os
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.credentials import AssumeRoleProvider
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import fastlaunch_nb as fl
from fastlaunch_nb.aws.sessions import open_profile_session
from fastlaunch_nb.cli.main import main
from tests.helpers.recording_aws import ACCOUNT, ROLE_KEY, RecordingAws, serve_recording_aws

KEY, OTHER_KEY = "AKIAKEYKEYKEYKEYKEY1", "AKIAOTHEROTHEROTHER1"
REGION = "eu-west-1"
Configure = Callable[..., None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """A function that writes AWS's configuration file and sets variables; nothing else counts."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    files = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}

    def write(config: str, **variables: str) -> None:
        (tmp_path / "config").write_text(config)
        (tmp_path / "credentials").touch()
        paths = {name: str(tmp_path / file) for name, file in files.items()}
        for name, value in {**paths, "AWS_EC2_METADATA_DISABLED": "true", **variables}.items():
            monkeypatch.setenv(name, value)

    return write


@pytest.fixture
def aws() -> Iterator[tuple[RecordingAws, str]]:
    """A fake AWS, and its host and port."""
    with serve_recording_aws() as served:
        yield served


def use_everything(target: Any = None, *, regions: str | None = REGION) -> None:
    """Read EC2 and write to S3, as a user does."""
    sweep = fl.sweep(target, regions=regions, progress=False)
    assert sweep.failures.empty, sweep.failures["error_message"].tolist()
    fl.History("s3://bucket/fleet", target=target).record(sweep, compact=False)


def make_profile(name: str, **settings: str) -> str:
    """Return a section of a configuration file."""
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    return f"[profile {name}]\n{lines}"


def make_keys(key: str = KEY) -> dict[str, str]:
    """Return the settings of static keys."""
    return {"aws_access_key_id": key, "aws_secret_access_key": "secret"}


def make_process(folder: Path, key: str) -> str:
    """Return a command that prints credentials."""
    text = json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": "secret"})
    script = folder / "login.py"
    script.write_text(f"print({text!r})")
    return f"{Path(sys.executable).as_posix()} {script.as_posix()}"


# --- credentials and endpoints --------------------------------------------------------


def build_keys(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """Keys and the endpoint of all services in the environment."""
    variables = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "secret"}
    return "", {**variables, "AWS_ENDPOINT_URL": f"http://{host}"}, KEY


def build_profile(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """A profile with keys and an endpoint, while the environment has keys of another account."""
    profile = make_profile("farm", **make_keys(), endpoint_url=f"http://{host}")
    return profile, {"AWS_ACCESS_KEY_ID": OTHER_KEY, "AWS_SECRET_ACCESS_KEY": "secret"}, KEY


def build_role(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """A profile that assumes a role from another one."""
    role = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader", "source_profile": "base"}
    base = make_profile("base", **make_keys(OTHER_KEY))
    return (
        base + make_profile("farm", **role, endpoint_url=f"http://{host}"),
        {"AWS_ENDPOINT_URL_STS": f"http://{host}"},
        ROLE_KEY,
    )


def build_process(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """A profile with credentials of a program."""
    process = make_process(folder, KEY)
    return make_profile("farm", credential_process=process, endpoint_url=f"http://{host}"), {}, KEY


def build_services(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """A profile with an endpoint for each service."""
    services = "".join(
        f"{name} =\n  endpoint_url = http://{host}\n" for name in ("ec2", "s3", "sts")
    )
    profile = make_profile("farm", **make_keys(), services="private")
    return f"{profile}[services private]\n{services}", {}, KEY


def build_proxy(host: str, folder: Path) -> tuple[str, dict[str, str], str]:
    """A proxy before an endpoint that only the proxy knows."""
    profile = make_profile("farm", **make_keys(), endpoint_url="http://aws.example")
    return profile, {"HTTP_PROXY": f"http://{host}", "http_proxy": f"http://{host}"}, KEY


@pytest.mark.parametrize(
    "build", [build_keys, build_profile, build_role, build_process, build_services, build_proxy]
)
def test_every_service_has_one_place_and_one_key(
    build: Any, aws: tuple[RecordingAws, str], configure: Configure, tmp_path: Path
) -> None:
    """EC2, STS and S3 get requests with the same key, region and host, however they are set."""
    fake, host = aws
    config, variables, key = build(host, tmp_path)
    configure(config, AWS_REGION=REGION, **variables)
    profile = None if build is build_keys else "farm"
    use_everything(fl.targets(profiles=profile))
    services = ("ec2", "s3", "sts")
    requests = [it for it in fake.requests if it.action != "AssumeRole"]
    assert {request.service for request in requests} == set(services)
    expected = "aws.example" if build is build_proxy else host
    places = {(it.key, it.region, it.host.removeprefix("bucket.")) for it in requests}
    assert places == {(key, REGION, expected)}


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of this machine that nobody trusts yet; return it and a TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    bundle, pem = folder / "bundle.pem", serialization.Encoding.PEM
    bundle.write_bytes(certificate.public_bytes(pem))
    private = folder / "key.pem"
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, private)
    return bundle, context


@pytest.mark.parametrize("by", ["variable", "profile"])
def test_every_service_trusts_the_same_certificates(
    by: str, configure: Configure, tmp_path: Path
) -> None:
    """AWS_CA_BUNDLE and a profile's ca_bundle count for EC2, STS and S3."""
    bundle, context = make_certificate(tmp_path)
    with serve_recording_aws(lambda socket: context.wrap_socket(socket, server_side=True)) as (
        fake,
        host,
    ):
        trusted = bundle.as_posix()
        settings = {**make_keys(), "endpoint_url": f"https://{host}"}
        variables = {"AWS_CA_BUNDLE": trusted}
        if by == "profile":
            settings, variables = {**settings, "ca_bundle": trusted}, {}
        configure(make_profile("farm", **settings), AWS_REGION=REGION, **variables)
        use_everything(fl.targets(profiles="farm"))
        assert {request.service for request in fake.requests} == {"ec2", "s3", "sts"}


def test_a_store_is_opened_with_the_profile_of_a_command(
    aws: tuple[RecordingAws, str], configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    """`record --profile` reads and writes with one key, `--store-profile` writes with another."""
    fake, host = aws
    config = make_profile("farm", **make_keys()) + make_profile("vault", **make_keys(OTHER_KEY))
    variables = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "secret"}
    configure(config, AWS_REGION=REGION, AWS_ENDPOINT_URL=f"http://{host}", **variables)
    record = ["record", "s3://bucket/fleet", "--region", REGION, "--profile", "farm"]

    def list_keys(service: str) -> set[str]:
        return {request.key for request in fake.requests if request.service == service}

    assert main(record) == 0
    assert (list_keys("ec2"), list_keys("s3")) == ({KEY}, {KEY})
    fake.requests.clear()
    assert main([*record, "--store-profile", "vault"]) == 0
    assert (list_keys("ec2"), list_keys("s3")) == ({KEY}, {OTHER_KEY})
    fake.requests.clear()
    assert main([*record, "vault"]) == 2
    assert "Name the one that opens the store with --store-profile." in capsys.readouterr().err
    assert fake.requests == []


@pytest.mark.parametrize("command", [["record", "store", "--demo"], ["findings"]])
def test_a_profile_for_no_store_on_s3_is_refused(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder needs no profile, and nothing is read."""
    assert main([*command, "--store-profile", "vault"]) == 2
    assert "--store-profile is for a store on S3" in capsys.readouterr().err


def test_a_target_for_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder has no account; S3 has exactly one."""
    with pytest.raises(fl.InputError, match="target is for a store on S3"):
        fl.History(tmp_path, target=fl.Target())
    with pytest.raises(fl.InputError, match="target has 2 accounts"):
        fl.History("s3://bucket", target=[fl.Target("a"), fl.Target("b")])


# --- regions and partitions -----------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-north-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({}, "ap-south-1"),
    ],
    ids=["AWS_REGION", "AWS_DEFAULT_REGION", "profile"],
)
def test_the_region_is_that_of_the_aws_cli(
    variables: dict[str, str], expected: str, aws: tuple[RecordingAws, str], configure: Configure
) -> None:
    """AWS_REGION counts before AWS_DEFAULT_REGION, and that before the profile."""
    fake, host = aws
    profile = make_profile("farm", **make_keys(), region="ap-south-1")
    configure(profile, AWS_PROFILE="farm", AWS_ENDPOINT_URL=f"http://{host}", **variables)
    fl.describe()
    with pytest.raises(fl.StoreError, match="no store"):
        fl.History("s3://bucket/fleet").images()
    assert {request.region for request in fake.requests} == {expected}
    assert {"ec2", "s3"} <= {request.service for request in fake.requests}


@pytest.mark.parametrize(
    ("suffix", "partition"),
    [("cn-north-1.amazonaws.com.cn", "aws-cn"), ("us-gov-west-1.amazonaws.com", "aws-us-gov")],
)
def test_requests_stay_in_the_partition(
    suffix: str,
    partition: str,
    aws: tuple[RecordingAws, str],
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hosts of all services and the ARN of a role are those of the profile's partition."""
    _, host = aws
    profile = make_profile("farm", **make_keys(), region=suffix.partition(".")[0])
    proxy = f"http://{host}"  # which refuses to pass on what is encrypted
    configure(profile, HTTPS_PROXY=proxy, https_proxy=proxy, AWS_MAX_ATTEMPTS="1")
    session = open_profile_session("farm")
    requests: dict[str, str] = {}

    def record(request: Any, **_: Any) -> None:
        requests[urlsplit(request.url).netloc] = str(request.body)

    session.events.register("before-send", record)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    (account,) = fl.targets(accounts=ACCOUNT, role="reader")
    assert len(fl.sweep(account, progress=False).failures) == 1
    for call in (fl.describe, fl.History("s3://bucket/fleet").images):
        with pytest.raises(fl.FastLaunchError, match="proxy"):
            call()
    assert set(requests) == {f"ec2.{suffix}", f"sts.{suffix}", f"bucket.s3.{suffix}"}
    assert f"arn%3A{partition}%3Aiam" in requests[f"sts.{suffix}"]


# --- once -----------------------------------------------------------------------------


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts for MFA codes, each of which gets an answer."""
    prompts: list[str] = []

    def answer(text: str) -> str:
        prompts.append(text)
        return "123456"

    provider: Any = AssumeRoleProvider.__init__
    assert provider.__defaults__[0] is getpass.getpass
    monkeypatch.setattr(provider, "__defaults__", (answer, *provider.__defaults__[1:]))
    return prompts


def test_one_mfa_code_for_a_process(
    aws: tuple[RecordingAws, str], configure: Configure, codes: list[str]
) -> None:
    """A profile with MFA needs one code, whatever is read with it and how often."""
    fake, host = aws
    role = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader", "source_profile": "base"}
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/me"
    config = make_profile("base", **make_keys(OTHER_KEY)) + make_profile(
        "farm", **role, mfa_serial=serial
    )
    configure(config, AWS_REGION=REGION, AWS_ENDPOINT_URL=f"http://{host}")
    for _ in range(2):
        use_everything(fl.targets(profiles="farm"))
    assert len(codes) == 1
    assert fake.list_actions("sts").count("AssumeRole") == 1


@pytest.mark.parametrize(("hours", "is_once"), [(1.0, True), (-1.0, False)])
def test_a_role_is_assumed_until_it_expires(
    hours: float, is_once: bool, aws: tuple[RecordingAws, str], configure: Configure
) -> None:
    """Two calls assume a role once if it is still valid, and again if it is not."""
    fake, host = aws
    fake.role_hours = hours
    configure(
        make_profile("farm", **make_keys()), AWS_REGION=REGION, AWS_ENDPOINT_URL=f"http://{host}"
    )
    target = fl.targets(accounts=ACCOUNT, role="reader", profiles="farm")
    for _ in range(2):
        fl.sweep(target, regions=REGION, progress=False)
    assert (fake.list_actions("sts") == ["AssumeRole"]) == is_once
    assert set(fake.list_actions("sts")) == {"AssumeRole"}


def test_a_changed_configuration_counts_at_once(
    aws: tuple[RecordingAws, str], configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New keys in a file or a variable are used by the next call."""
    fake, host = aws
    endpoint = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": f"http://{host}"}
    for key in (KEY, OTHER_KEY):
        configure(make_profile("farm", **make_keys(key)), AWS_PROFILE="farm", **endpoint)
        fl.describe()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_PROFILE")
    fl.describe()
    assert list(dict.fromkeys(it.key for it in fake.requests)) == [KEY, OTHER_KEY, "AKIAENV"]


def test_a_program_without_a_time_limit_runs_again(
    aws: tuple[RecordingAws, str], configure: Configure, tmp_path: Path
) -> None:
    """Credentials of a program that names no end are not kept for the next call."""
    fake, host = aws
    for key in (KEY, OTHER_KEY):
        process = make_process(tmp_path, key)
        if key == KEY:
            configure(
                make_profile("farm", credential_process=process),
                AWS_PROFILE="farm",
                AWS_REGION=REGION,
                AWS_ENDPOINT_URL=f"http://{host}",
            )
        fl.describe()
    assert list(dict.fromkeys(it.key for it in fake.requests)) == [KEY, OTHER_KEY]
