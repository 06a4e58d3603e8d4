"""describe: the paginator's parameters, paging, what is refused, what errors say."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import boto3
import botocore.exceptions
import botocore.session
import pandas as pd
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import READ_ONLY, AccountSession
from fastlaunch_nb.aws.fast_launch_pages import split_token
from fastlaunch_nb.collect.describe import describe
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.errors import redact
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, REGION, SINCE

STATES = ("enabled", "enabling", "enabled-failed")


def fill(ec2: Any, count: int) -> None:
    """Put images there whose states and owners take turns."""
    for n in range(count):
        ec2.add_fast_launch_image(
            FastLaunchImage(
                f"ami-{n:017x}",
                state=STATES[n % 3],
                owner_id=("111111111111", None)[n % 2],
                state_transition_time=SINCE,
            )
        )


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that were asked for; nothing is sent."""
    asked: list[str] = []

    def refuse(_self: object, operation: str, _parameters: object) -> None:
        asked.append(operation)
        raise AssertionError(f"{operation} was sent")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    return asked


# --- what it reads --------------------------------------------------------------------


def test_one_row_an_image(ec2: Any) -> None:
    """A row an image, with the account and region that were asked and AWS's clock."""
    fill(ec2, 3)
    images = describe(region=REGION)
    assert images["image_id"].tolist() == [f"ami-{n:017x}" for n in range(3)]
    assert images["account_id"].unique().tolist() == [ACCOUNT]
    assert images["region"].unique().tolist() == [REGION]
    assert images["observed_at"].unique().tolist() == [pd.Timestamp("2026-01-15T12:00:00Z")]
    assert images.attrs["next_token"] is None


def test_same_rows_as_boto3(demo: Demo) -> None:
    """The frame holds what boto3's own paginator reads with the same parameters."""
    parameters: dict[str, Any] = {"Filters": [{"Name": "state", "Values": ["enabled"]}]}
    client = boto3.client("ec2")
    pages = client.get_paginator("describe_fast_launch_images").paginate(
        **parameters, PaginationConfig={"PageSize": 3, "MaxItems": 5}
    )
    theirs = fl.from_pages(pages, account_id=ACCOUNT, region=client.meta.region_name)
    ours = describe(filters=parameters["Filters"], page_size=3, max_items=5)
    pd.testing.assert_frame_equal(ours, theirs)
    assert ours.attrs == theirs.attrs
    assert ours.attrs["next_token"] is not None


@pytest.mark.parametrize(
    "filters",
    [
        {"state": ["enabled", "enabling"]},
        [{"Name": "state", "Values": ["enabled", "enabling"]}],
        fl.Filters(state=["enabled", "enabling"]),
    ],
)
def test_filters_in_every_form(ec2: Any, filters: Any) -> None:
    """Filters are pushed down to EC2, in whichever form they come."""
    fill(ec2, 6)
    assert describe(filters=filters)["state"].unique().tolist() == ["enabled", "enabling"]


def test_filters_that_ec2_lacks_are_applied_here(ec2: Any) -> None:
    """Filters beyond EC2's own keep their meaning."""
    fill(ec2, 6)
    chosen = describe(filters=fl.Filters(state="enabled", owner_id=[None]))
    assert chosen["image_id"].tolist() == ["ami-00000000000000003"]
    assert describe(filters=fl.Filters(region="eu-west-1")).empty


def test_image_ids(ec2: Any) -> None:
    """Image ids may be a list, a column or a single one."""
    fill(ec2, 4)
    ids = [f"ami-{n:017x}" for n in (1, 3)]
    assert describe(image_ids=ids)["image_id"].tolist() == ids
    assert describe(image_ids=pd.Series(ids))["image_id"].tolist() == ids
    assert describe(image_ids=ids[0])["image_id"].tolist() == ids[:1]


def test_dry_run_that_is_allowed(ec2: Any) -> None:
    """A dry run that would be allowed gives the empty frame."""
    fill(ec2, 2)
    images = describe(dry_run=True)
    assert images.empty
    assert images.columns.tolist() == describe().columns.tolist()


def test_callers_session_is_not_touched(demo: Demo) -> None:
    """The caller's own clients keep all their methods, and ours have none that change things."""
    session = demo.session
    describe(session)
    assert hasattr(session.client("ec2"), "enable_fast_launch")
    client = AccountSession(session).client("ec2", REGION)
    methods = client.meta.method_to_api_mapping
    assert set(methods.values()) == set(READ_ONLY["ec2"])
    assert not hasattr(client, "enable_fast_launch")
    assert set(client.meta.service_model.operation_names) == set(READ_ONLY["ec2"])


def test_the_table_of_operations_only_reads() -> None:
    """Every operation that the toolkit may call describes, gets or lists, or assumes a role."""
    reads = ("Describe", "Get", "List")
    names = some(name for operations in READ_ONLY.values() for name in operations)
    assert {name for name in names if not name.startswith(reads)} == {"AssumeRole"}


def test_the_sessions_own_settings_are_used(
    demo: Demo, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A custom configuration file, client defaults and hooks of the session are ours too."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / "mine").write_text(
        "[profile corp]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/demo\n"
        "source_profile = default\n"
    )
    core = botocore.session.Session(profile="corp")
    core.set_config_variable("config_file", str(tmp_path / "mine"))
    core.set_default_client_config(Config(connect_timeout=3))
    session = boto3.Session(botocore_session=core)
    sent: list[str] = []
    session.events.register("before-send.ec2", lambda request, **_: sent.append(request.url))
    images = describe(session)
    assert images["region"].unique().tolist() == ["eu-west-1"]
    assert images["account_id"].unique().tolist() == ["111122223333"]
    assert sent == [f"{demo.endpoint_url}/"]
    assert AccountSession(session).client("ec2", REGION).meta.config.connect_timeout == 3


def test_hooks_of_other_services_are_left_behind(demo: Demo) -> None:
    """A client, and who collects its garbage, is spared botocore's hooks for other services."""
    session = boto3.Session()
    own = AccountSession(session).client("ec2", REGION).meta.events
    kept, full = str(vars(own._handlers)), str(vars(session.events._emitter._handlers))
    assert "UploadPart" in full
    assert "UploadPart" not in kept
    assert "decode_console_output" in kept  # one for EC2
    assert len(kept) < len(full) / 2


def test_another_account_by_its_profile(demo: Demo) -> None:
    """A profile with a role reads the other account, and the rows say so."""
    images = describe(boto3.Session(profile_name="game-servers"))
    assert images["account_id"].unique().tolist() == ["111122223333"]


# --- paging ---------------------------------------------------------------------------

steps = st.tuples(st.none() | st.integers(1, 7), st.none() | st.integers(1, 9))


@given(plan=st.lists(steps, min_size=1, max_size=6), filtered=st.booleans())
def test_paging_with_resume_equals_reading_at_once(
    ec2: Any, plan: list[tuple[int | None, int | None]], filtered: bool
) -> None:
    """Law: any mixture of max_items, page_size and resumption reads the same rows in order."""
    fill(ec2, 23)
    filters = {"state": ["enabled", "enabling"]} if filtered else None
    whole = describe(filters=filters)["image_id"].tolist()
    rows: list[str] = []
    token = None
    for max_items, page_size in [*plan, (None, 2)]:
        part = describe(
            filters=filters, max_items=max_items, page_size=page_size, starting_token=token
        )
        rows += part["image_id"].tolist()
        token = part.attrs["next_token"]
        if token is None:
            break
    assert rows == whole
    assert token is None


def test_a_token_that_ec2_makes_of_json_is_ec2s() -> None:
    """EC2's own tokens are base64 of JSON too: one is never taken for boto3's, and dropped."""
    for content in ({"v": "2", "c": "x", "s": "1"}, {}, [1], 5):
        token = base64.b64encode(json.dumps(content).encode()).decode()
        page, skip = split_token(token)
        assert page is not None
        assert json.loads(base64.b64decode(page)) == {"NextToken": token}
        assert skip == 0
    assert split_token("token___2")[1] == 2


def test_resume_inside_a_page_with_a_smaller_page(ec2: Any) -> None:
    """A resume token that skips more rows than the next page has repeats none of them."""
    fill(ec2, 12)
    first = describe(max_items=5)
    rest = describe(starting_token=first.attrs["next_token"], page_size=2)
    assert first["image_id"].tolist() + rest["image_id"].tolist() == describe()["image_id"].tolist()


def test_tokens_of_boto3_and_of_ec2_are_accepted(ec2: Any) -> None:
    """starting_token takes boto3's resume tokens and EC2's own, as boto3 does."""
    fill(ec2, 9)
    client = boto3.client("ec2")
    page = client.describe_fast_launch_images(MaxResults=4)
    assert len(describe(starting_token=page["NextToken"])) == 5
    paginator = client.get_paginator("describe_fast_launch_images")
    part = paginator.paginate(PaginationConfig={"MaxItems": 2}).build_full_result()
    assert len(describe(starting_token=part["NextToken"])) == 7


def test_max_items_of_zero(ec2: Any) -> None:
    """As in boto3, max_items=0 reads nothing and can go on from the start."""
    fill(ec2, 3)
    nothing = describe(max_items=0)
    assert nothing.empty
    assert len(describe(starting_token=nothing.attrs["next_token"])) == 3


# --- refused before anything is sent --------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"image_ids": ["i-0123456789abcdef0"]}, "'i-0123456789abcdef0'"),
        ({"image_ids": ["AMI-0123456789ABCDEF0"]}, "lower case"),
        ({"image_ids": [None]}, "None"),
        ({"image_ids": []}, "None, to read all"),
        ({"filters": {"stat": ["enabled"]}}, "Did you mean 'state'?"),
        ({"filters": {"owner_id": ["1"]}}, "Did you mean 'owner-id'?"),
        ({"filters": [{"Name": "state"}]}, "'Values'"),
        ({"filters": ["state"]}, "'Name'"),
        ({"filters": {"state": []}}, "no values"),
        ({"filters": {"state": 3}}, "Expected text"),
        ({"filters": 5}, "filters is 5"),
        ({"filters": "enabled"}, "filters is 'enabled'"),
        ({"image_ids": 5}, "image_ids is 5"),
        ({"max_items": -1}, "max_items is -1"),
        ({"max_items": True}, "max_items is True"),
        ({"max_items": "5"}, "max_items is '5'"),
        ({"page_size": -1}, "from 0 to 200"),
        ({"page_size": 201}, "from 0 to 200"),
        ({"page_size": 5, "image_ids": "ami-00000001"}, "leave page_size out"),
        ({"page_size": 5, "filters": fl.Filters(image_id="ami-00000001")}, "leave page_size out"),
        ({"filters": fl.Filters(available_snapshots=(1, None))}, "Read without it, join"),
        ({"image_ids": "ami-00000001", "filters": fl.Filters(image_id="ami-00000002")}, "twice"),
        ({"starting_token": ""}, "starting_token"),
        ({"starting_token": 5}, "starting_token"),
        ({"region": "Ireland!"}, "region is 'Ireland!'"),
        ({"session": "production"}, "boto3.Session(profile_name="),
    ],
)
def test_refused(sent: list[str], wrong: dict[str, Any], says: str) -> None:
    """Bad input is refused, naming what was given and what was expected, before any request."""
    with pytest.raises(fl.InputError) as caught:
        describe(**{"region": REGION, **wrong})
    assert says in str(caught.value)
    assert sent == []


def test_no_region_says_how_to_give_one(sent: list[str]) -> None:
    """Without a region the message names the parameter and the variable; nothing is sent."""
    with pytest.raises(fl.SetupError, match=r"region='us-east-1'.*AWS_DEFAULT_REGION"):
        describe()
    assert sent == []


def test_no_credentials_says_what_to_do() -> None:
    """Without credentials the message names three ways to have some."""
    with pytest.raises(fl.SetupError, match=r"profile_name=.*AWS_PROFILE.*aws configure"):
        describe(region=REGION)


def test_expired_sso_login_names_the_command(tmp_path: Any) -> None:
    """An SSO login that is missing or expired names the command that renews it."""
    (tmp_path / "config").write_text(
        "[profile work]\nsso_start_url = https://example.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = reader\nregion = us-east-1\n"
    )
    with pytest.raises(fl.SetupError, match="aws sso login --profile work"):
        describe(boto3.Session(profile_name="work"))


def test_unknown_default_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist says how to list those that do."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(fl.SetupError, match="list-profiles"):
        describe(region=REGION)


# --- what AWS answers -----------------------------------------------------------------


def answer(monkeypatch: pytest.MonkeyPatch, code: str, message: str = "no") -> None:
    """Make every call end with an error of AWS's."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RequestId": "11112222-3333"},
    }

    def fail(_self: object, operation: str, _parameters: object) -> None:
        raise botocore.exceptions.ClientError(response, operation)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", fail)


@pytest.mark.parametrize("dry_run", [False, True])
def test_denied_names_the_action(monkeypatch: pytest.MonkeyPatch, dry_run: bool) -> None:
    """A read, or a dry run, that is not allowed names the IAM action, the code and the request."""
    answer(monkeypatch, "UnauthorizedOperation")
    with pytest.raises(fl.ReadError) as caught:
        describe(region=REGION, dry_run=dry_run)
    assert "ec2:DescribeFastLaunchImages" in str(caught.value)
    assert caught.value.code == "UnauthorizedOperation"
    assert caught.value.request_id == "11112222-3333"
    assert REGION in str(caught.value)


def test_no_secret_reaches_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, tokens and signatures that AWS repeats are left out, in the chain as well."""
    secrets = ["AKIAIOSFODNN7EXAMPLE", "Signature=f00dfeed", "A" * 80, "hunter2", "Tok/en"]
    said = f"{' '.join(secrets[:3])} http://me:hunter2@127.0.0.1 Invalid header value b'Tok/en\\n1'"
    answer(monkeypatch, "SignatureDoesNotMatch", said)
    with pytest.raises(fl.ReadError) as caught:
        describe(region=REGION)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize(
    "secret",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AKIAIOSFODNN7EXAMPLE",
        "FwoGZXIvYXdzE" + "x" * 200 + "==",
    ],
)
def test_secrets_are_redacted(secret: str) -> None:
    """Keys and tokens go wherever they stand; a proxy's user and password go whole."""
    said = redact(f"The request with '{secret}' and {secret}, by http://user:pa/ss@proxy:80 failed")
    assert secret not in said
    assert "pa/ss" not in said
    assert said.startswith("The request with '***' and ***, by http://")
    assert redact("ec2:DescribeFastLaunchImages in us-east-1") == (
        "ec2:DescribeFastLaunchImages in us-east-1"
    )


def test_a_role_that_is_denied_names_its_own_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a role can not be assumed on the way, the action to allow is that one."""
    response: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}

    def fail(*_: object) -> None:
        raise botocore.exceptions.ClientError(response, "AssumeRole")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", fail)
    with pytest.raises(fl.ReadError, match=r"to AssumeRole .*Allow the IAM action sts:AssumeRole"):
        describe(region=REGION)


def test_a_login_behind_a_role_names_the_profile_to_log_in(tmp_path: Any) -> None:
    """Where a role takes its credentials from an SSO profile, that one is named."""
    (tmp_path / "config").write_text(
        "[profile work]\nsso_start_url = https://example.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = reader\nregion = us-east-1\n"
        "[profile outer]\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        "source_profile = work\nregion = us-east-1\n"
    )
    with pytest.raises(fl.SetupError, match="aws sso login --profile work"):
        describe(boto3.Session(profile_name="outer"))


@pytest.mark.parametrize("body", [b"<html><body>Sign in<br></body></html>", b"<html></html>"])
def test_what_is_not_aws_is_told_apart(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """A page of a proxy or a hotel that answers in AWS's stead is an error, not an empty fleet."""

    def answer_all(*_: object, **__: object) -> AWSResponse:
        return AWSResponse("http://127.0.0.1", 200, {}, RawBody(body))

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", answer_all)
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(fl.ReadError, match="what answered is not AWS"):
        describe(session, region=REGION)


def test_an_answer_in_the_stead_of_sts_costs_no_rows(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only STS is not AWS, the rows are there and the account is null, with a warning."""
    send = URLLib3Session.send

    def answer_sts(self: URLLib3Session, request: Any) -> AWSResponse:
        if "GetCallerIdentity" in str(request.body):
            return AWSResponse(request.url, 200, {}, RawBody(b"<html><body>no</body></html>"))
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", answer_sts)
    with pytest.warns(fl.FastLaunchWarning, match="what answered is not AWS"):
        images = describe(demo.session)
    assert images["account_id"].isna().tolist() == [True] * 8


def test_an_error_page_is_not_awss(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error without a code of AWS's is told apart too."""

    def refuse(*_: object, **__: object) -> AWSResponse:
        return AWSResponse("http://127.0.0.1", 407, {}, RawBody(b"<html>proxy</html>"))

    monkeypatch.setattr(URLLib3Session, "send", refuse)
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(fl.ReadError, match="what answered is not AWS"):
        describe(session, region=REGION)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "localhost:5001"),
        ("AWS_MAX_ATTEMPTS", "x"),
        ("AWS_RETRY_MODE", "nope"),
    ],
)
def test_a_setting_that_can_not_be_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A variable that botocore can not read is a matter of setup, and is quoted."""
    monkeypatch.setenv(name, value)
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(fl.SetupError, match=f"can not be used: .*{value}"):
        describe(session, region=REGION)


class RawBody(io.BytesIO):
    """The body of an answer, as botocore wants it."""

    def stream(self, **_: object) -> list[bytes]:
        """Return it in one piece."""
        return [self.read()]


def test_a_broken_configuration_is_a_matter_of_setup(tmp_path: Any) -> None:
    """A configuration file that can not be parsed is SetupError, and says so."""
    (tmp_path / "config").write_text("this is no configuration")
    with pytest.raises(fl.SetupError, match="configuration can not be used"):
        describe(region=REGION)


def test_a_wrong_region_of_the_session_is_refused_too(sent: list[str]) -> None:
    """A region that the session brings along is checked like one that is given."""
    with pytest.raises(fl.InputError, match="region is 'US East'"):
        describe(boto3.Session(region_name="US East"))
    assert sent == []


def test_every_error_of_botocore_becomes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What botocore raises without an answer from AWS is explained too."""

    def unreachable(*_: object) -> None:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="there")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", unreachable)
    with pytest.raises(fl.ReadError, match="Check the network") as caught:
        describe(region=REGION)
    assert caught.value.code == "EndpointConnectionError"


def test_account_that_can_not_be_read_is_null(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows count more than the account's id: it is null, and a warning says why."""
    fill(ec2, 1)

    def denied(*_: object) -> str:
        raise fl.ReadError("GetCallerIdentity: no", code="AccessDenied")

    monkeypatch.setattr(AccountSession, "account_id", denied)
    with pytest.warns(fl.FastLaunchWarning, match="account_id is null: GetCallerIdentity"):
        images = describe()
    assert images["account_id"].isna().tolist() == [True]


def test_bad_token_says_to_start_over(ec2: Any) -> None:
    """A token that EC2 does not know says what to do."""
    token = base64.b64encode(json.dumps({"NextToken": "bogus"}).encode()).decode()
    for bad in ("bogus", token):
        with pytest.raises(fl.ReadError, match="without starting_token") as caught:
            describe(starting_token=bad)
        assert caught.value.code == "InvalidNextToken", bad


def test_a_state_that_is_not_known_is_asked_with_a_warning(ec2: Any) -> None:
    """AWS may add states: one that is none of the known goes out, and the doubt is said."""
    with pytest.warns(fl.FastLaunchWarning, match="Did you mean 'enabling'?"):
        images = fl.describe(filters={"state": ["enablin"]})
    assert images.empty
    assert set(images.attrs) == {"next_token"}
