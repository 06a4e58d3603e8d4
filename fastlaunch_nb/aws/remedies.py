"""Remedies: one table of errors, why they happen, and what to do.

A remedy is chosen by the code and the text of an error, for AWS's answers and for failures on
this machine alike. The table is in order, and the first entry that fits counts. What fits none
has no remedy: wrong advice costs more than none. The table in docs/troubleshooting.md is made
from this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

_DENIAL = re.compile(
    r"(?:User: )?(?P<principal>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
)
_POLICY = re.compile(
    r"(?:explicit deny in|because no) (?:an? |the )?"
    r"(?P<policy>(?:[\w-]+ ){1,3}?(?:policy|boundary))(?:[:(\s]+(?P<arn>arn:[\w+=,.@:/*-]*\w))?"
)


@dataclass(frozen=True)
class Remedy:
    """An entry of the table: the errors that it fits, why they happen, and what to do.

    Attributes
    ----------
    codes : tuple of str
        Error codes, or names of Python's exceptions; ``*`` stands for any text.
    why, advice : str
        Sentences; see :func:`collect_facts` for the names in braces.
    phrases : tuple of str
        Parts of the text, of which one must be in it, in any case; if empty, any text fits.
    operations, services : tuple of str
        The operations and services (IAM's names); if empty, any fits.
    is_local : bool
        True if the cause is on this machine, before any request.
    """

    codes: tuple[str, ...]
    why: str
    advice: str
    phrases: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    is_local: bool = False

    def fits(self, code: str, text: str, operation: str, service: str) -> bool:
        """Return True if the entry is about such an error."""
        lower = text.lower()
        return (
            any(fnmatchcase(code, pattern) for pattern in self.codes)
            and (not self.phrases or any(phrase.lower() in lower for phrase in self.phrases))
            and operation in (self.operations or (operation,))
            and service in (self.services or (service,))
        )


# --- the table ------------------------------------------------------------------------

_DENIED = (
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
    *("UnauthorizedAccess", "NotAuthorized", "Forbidden", "ForbiddenException", "403"),
)
_MISMATCH = ("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature")
_NO_HELP = (
    "Allowing the IAM action in another policy cannot help: {policy} does not let {principal} "
    "call {action}. "
)
_CLOCK = (
    "Set this machine's clock and time zone, or let it synchronize with a time server. In a "
    "container, set its host's."
)
_RENEW = "The credentials have expired: {renewal}."
_WEB_IDENTITY: Final = ("AssumeRoleWithWebIdentity",)
_TRUST = (
    "The role must exist, and its trust policy must allow this caller, with the external id that "
    "it requires."
)
_S3_ACTIONS = (
    "It takes s3:ListBucket on the bucket and, on its objects, s3:GetObject to read, s3:PutObject "
    "to record, and s3:DeleteObject to compact."
)
_NETWORK = "Check the network, the proxy and the region's name."
_CA_BUNDLE = (
    "Ask whoever runs the proxy for the certificates of its CA as a PEM file, and set "
    "AWS_CA_BUNDLE (or ca_bundle in the profile) to that file."
)

_DENIALS = (
    Remedy(
        _DENIED,
        "The code of the MFA device was wrong, old or already used.",
        "Wait for the next code of the device, and enter it once.",
        phrases=("MultiFactorAuthentication failed",),
    ),
    Remedy(
        _DENIED,
        "A service control policy or a resource control policy of the organization denies it.",
        _NO_HELP + "Only those who manage the organization's policies can change it.",
        phrases=("service control policy", "resource control policy"),
    ),
    Remedy(
        _DENIED,
        "The permissions boundary of the user or role denies it, or does not include it.",
        _NO_HELP + "Only those who set the permissions boundary can change it.",
        phrases=("permissions boundary",),
    ),
    Remedy(
        _DENIED,
        "A policy that was passed when the role was assumed denies it, or does not include it.",
        _NO_HELP + "Assume the role without that session policy, or with a wider one.",
        phrases=("session policy",),
    ),
    Remedy(
        _DENIED,
        "The policy of the VPC endpoint on the way to AWS denies it, or does not include it.",
        _NO_HELP + "Only those who manage the VPC endpoint can change its policy.",
        phrases=("VPC endpoint policy",),
    ),
    Remedy(
        _DENIED,
        "A policy of the bucket, key or other resource denies it.",
        _NO_HELP + "Only those who own the resource can change its policy.",
        phrases=("explicit deny in a resource-based policy",),
    ),
    Remedy(
        _DENIED,
        "A policy of the user or role denies it explicitly, which overrides all that allow it.",
        _NO_HELP + "Remove or narrow its Deny statement.",
        phrases=("explicit deny in an identity-based policy",),
    ),
    Remedy(
        _DENIED,
        "A policy denies it explicitly, which overrides all that allow it.",
        "Allowing the IAM action in another policy cannot help: find the Deny statement that fits "
        "{principal}, in policies of the user or role, its boundary and the organization.",
        phrases=("explicit deny",),
    ),
    Remedy(
        _DENIED,
        "The resource belongs to another account, or its own policy must allow the caller.",
        "Allow {action} for {principal} in the policy of the resource.",
        phrases=("no resource-based policy allows",),
    ),
    Remedy(
        _DENIED,
        "The role's trust policy does not allow the caller, or the caller may not assume roles.",
        f"Allow the IAM action sts:AssumeRole. {_TRUST}",
        operations=("AssumeRole",),
    ),
    Remedy(
        _DENIED,
        "The role's trust policy does not allow the identity in the token.",
        "The trust policy of the role must allow the issuer, the audience and the subject of the "
        "token.",
        operations=_WEB_IDENTITY,
    ),
    Remedy(
        _DENIED,
        "The login is valid, but has no such role in that account.",
        "Check sso_account_id and sso_role_name of the profile, or ask for the permission set.",
        operations=("GetRoleCredentials",),
    ),
    Remedy(
        _DENIED,
        "Only the management account and delegated administrators may list an organization.",
        "Allow the IAM action {action}. Call from the organization's management account or from a "
        "delegated administrator.",
        services=("organizations",),
    ),
    Remedy(
        _DENIED, "The caller may not use the bucket or its objects.", _S3_ACTIONS, services=("s3",)
    ),
    Remedy(_DENIED, "No policy of the caller allows it.", "Allow the IAM action {action}."),
)
_CREDENTIALS = (
    Remedy(
        ("*",),
        "This machine's clock differs from AWS's by more than AWS accepts.",
        _CLOCK,
        phrases=(
            "Signature expired",
            "Signature not yet current",
            "request time and the current time is too large",
        ),
    ),
    Remedy(
        ("RequestTimeTooSkewed", "RequestInTheFuture"),
        "This machine's clock differs from AWS's by more than AWS accepts.",
        _CLOCK,
    ),
    Remedy(
        ("ExpiredToken*", "IDPRejectedClaim", "InvalidIdentityToken*"),
        "The web identity token has expired, or AWS does not know its issuer.",
        "Get a new token into the file, and check that the account has the token's issuer as an "
        "identity provider.",
        operations=_WEB_IDENTITY,
    ),
    Remedy(
        ("RequestExpired",),
        "The credentials have expired, or this machine's clock is wrong.",
        f"{_RENEW} If they are new, check this machine's clock.",
    ),
    Remedy(("ExpiredToken*", "TokenRefreshRequired"), "The session token has expired.", _RENEW),
    Remedy(
        ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        "AWS does not know the access key or the session token. It may be old, inactive, "
        "deleted, or of another partition.",
        "The credentials are not known to AWS: check the profile. If they are temporary, they may "
        "have expired: {renewal}.",
    ),
    Remedy(
        ("InvalidToken", "InvalidSecurity*"),
        "The session token does not belong to the access key, or is cut short.",
        "Copy access key, secret key and session token together again; if they have expired, "
        "{renewal}.",
    ),
    Remedy(
        (*_MISMATCH, "IncompleteSignature*"),
        "The secret key does not belong to the access key, or was not copied whole. Some proxies "
        "change signed requests.",
        "The secret key does not fit the access key: check the profile, and copy keys and session "
        "token together again.",
    ),
    Remedy(
        ("AuthFailure",),
        "The credentials are wrong, the region is not enabled for the account, or this machine's "
        "clock is wrong. EC2 has one code for all.",
        "The credentials are not valid here, the region is not enabled for this account, or this "
        "machine's clock is wrong: check `aws sts get-caller-identity`, `aws account "
        "get-region-opt-status --region-name {region}` and the time.",
    ),
    Remedy(
        ("OptInRequired", "RegionDisabledException", "SubscriptionRequiredException"),
        "The account has not enabled the region or the service.",
        "Enable the region or service for this account first.",
    ),
    Remedy(
        ("Blocked", "PendingVerification", "AccountProblem", "AllAccessDisabled"),
        "AWS has blocked the account, or is still verifying it.",
        "Ask AWS Support: only they can lift it.",
    ),
    Remedy(
        ("AWSOrganizationsNotInUseException",),
        "The account belongs to no organization.",
        "Use credentials of the organization's management account, or pass accounts.",
    ),
)
_ANSWERS = (
    Remedy(
        (
            *("*Throttl*", "TooManyRequests*", "RequestLimitExceeded", "SlowDown", "429"),
            *("BandwidthLimitExceeded", "ProvisionedThroughputExceeded*", "LimitExceededException"),
            *("TransactionInProgressException", "PriorRequestNotComplete"),
        ),
        "AWS limits requests for each account and region, and other programs use the same limit.",
        "AWS is throttling or busy: try again later, or with fewer readers at once.",
    ),
    Remedy(
        (
            *("Unavailable", "ServiceUnavailable*", "InternalError", "InternalFailure"),
            *("InternalServer*", "InternalServiceError", "500", "502", "503", "504"),
        ),
        "AWS has a problem, which mostly passes.",
        "AWS is throttling or busy: try again later, or with fewer readers at once.",
    ),
    Remedy(
        ("InvalidNextToken", "InvalidPaginationToken"),
        "A page token is of another read, or has expired.",
        "Page tokens expire: read again from the start, without starting_token.",
    ),
    Remedy(
        ("InvalidAMIID.NotFound",),
        "No AMI of the region has this id, or it is not shared with the account.",
        "No such AMI in {region}: ids belong to one region.",
    ),
    Remedy(
        ("InvalidAMIID.Unavailable",),
        "The AMI was deregistered, or is not ready yet.",
        "Leave the image out: it is not available now.",
    ),
    Remedy(
        ("NoSuchBucket",),
        "There is no bucket of this name.",
        "Create the bucket first, or use another one.",
    ),
    Remedy(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint*", "301"),
        "The bucket is in another region than the request.",
        "Use the region of the bucket.",
        services=("s3",),
    ),
    Remedy(
        ("KMS.*",),
        "The key that encrypts the bucket's objects cannot be used.",
        "Check that the KMS key of the bucket is enabled, and that its policy allows the caller.",
        services=("s3",),
    ),
    Remedy(
        ("Timeout",),
        "No whole answer came in time: the network, a proxy or AWS hangs.",
        "Check the network and the proxy, try again, or pass a longer timeout.",
    ),
    Remedy(
        ("Unresponsive",),
        "Other reads in the region got no answer in time, so this one was left out.",
        "Read again later what is missing.",
    ),
    Remedy(
        ("PaginationError",),
        "A page token leads back to an earlier page.",
        "AWS's pages lead in a circle: try again later.",
    ),
    Remedy(
        ("TooManyPages",),
        "The read has more pages than any account can have images.",
        "Read fewer images at once: filter them, or use larger pages.",
    ),
    Remedy(
        ("ResponseParserError",),
        "A proxy, a login page of a network, or a wrong endpoint answered instead of AWS.",
        "Try again. If that does not help, check the proxy and the configured endpoint.",
    ),
)
_OTHER_CODES = (  # of services whose codes say less than their text
    Remedy(
        ("*",),
        "The session token has expired.",
        _RENEW,
        phrases=(
            "security token included in the request is expired",
            "security token has expired",
            "session token has expired",
            "provided token has expired",
        ),
    ),
    Remedy(
        ("*",),
        "AWS limits requests for each account and region, and other programs use the same limit.",
        "AWS is throttling or busy: try again later, or with fewer readers at once.",
        phrases=("Rate exceeded", "reduce your request rate", "too many requests"),
    ),
)
_NETWORK_FAILURES = (
    Remedy(
        ("SSLError",),
        "The certificate is for another name: something between here and AWS answers in its place.",
        "Check the proxy, the configured endpoint, and where the name of the host leads.",
        phrases=("hostname mismatch", "doesn't match", "is not valid for"),
    ),
    Remedy(
        ("SSLError",),
        "A certificate is out of date, or this machine's clock is wrong.",
        "Check this machine's clock first, then the certificate of the proxy or the endpoint.",
        phrases=("certificate has expired", "certificate is not yet valid"),
    ),
    Remedy(
        ("SSLError",),
        "The file of CAs does not exist, cannot be read, or is not in PEM form.",
        "Set AWS_CA_BUNDLE (or ca_bundle in the profile) to a PEM file, which has lines that begin "
        "with -----BEGIN CERTIFICATE-----; or unset it.",
        phrases=("No such file", "Permission denied", "NO_CERTIFICATE_OR_CRL_FOUND", "PEM lib"),
    ),
    Remedy(
        ("SSLError",),
        "A proxy that inspects TLS shows a certificate of its own CA, which this machine does not "
        "know.",
        _CA_BUNDLE,
        phrases=("CERTIFICATE_VERIFY_FAILED", "self-signed", "self signed", "local issuer"),
    ),
    Remedy(
        ("SSLError",),
        "The other side does not speak TLS.",
        "Use http:// instead of https:// in the address of the proxy or the endpoint.",
        phrases=("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"),
    ),
    Remedy(
        ("ProxyConnectionError",),
        "The proxy cannot be reached, or wants a user and a password.",
        "Check HTTPS_PROXY and HTTP_PROXY, and NO_PROXY for what needs no proxy.",
    ),
    Remedy(
        ("SSLError", "ConnectionError", "HTTPClientError"),
        "The network, a firewall or a proxy did not let the request through, or the region's "
        "name is wrong.",
        _NETWORK,
    ),
)
_LOCAL_FAILURES = (
    Remedy(
        ("EOFError", "StdinNotImplementedError", "OSError"),
        "nobody can enter {detail}: this process has no terminal, as under cron, papermill or "
        "Voila",
        "Use credentials that need no code: an SSO login, a role of the machine, or keys that "
        "`aws sts get-session-token` made with a code.",
        phrases=("MFA",),
        is_local=True,
    ),
    Remedy(
        ("RefreshWithMFAUnsupportedError",),
        "the session that began with an MFA code has ended",
        "Open a new session, or start this process again, and enter a new code.",
        is_local=True,
    ),
    Remedy(
        ("*",),
        "no usable AWS credentials: {detail}",
        "Run that program in a terminal to see what it needs, or correct credential_process.",
        phrases=("credential_process",),
        is_local=True,
    ),
    Remedy(
        ("OSError",),
        "no usable AWS credentials: {detail}",
        "Write the token into that file, or name another one. Unset the name if you have other "
        "credentials.",
        phrases=("token_file",),
        is_local=True,
    ),
    Remedy(
        ("SSOError", "TokenRetrievalError"),
        "the login is missing or has expired",
        "To renew it, run `{login}`.",
        is_local=True,
    ),
    Remedy(
        ("LoginInsufficientPermissions",),
        "the login cannot be renewed, as a permission is missing",
        "Allow the IAM action signin:CreateOAuth2Token.",
        is_local=True,
    ),
    Remedy(
        ("LoginError",),
        "the login is missing or has expired",
        "To renew it, run `{console_login}`.",
        is_local=True,
    ),
    Remedy(
        ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        "no usable AWS credentials ({detail})",
        "Pass session=boto3.Session(profile_name='...'), set AWS_PROFILE, or run `aws configure`; "
        "without an account, try fastlaunch_nb.demo().",
        is_local=True,
    ),
    Remedy(
        ("ProfileNotFound",),
        "there is no such profile: {detail}",
        "`aws configure list-profiles` lists all profiles.",
        is_local=True,
    ),
    Remedy(
        ("ConfigParseError",),
        "the AWS configuration cannot be used: {detail}",
        "Save the file as UTF-8 without a byte order mark. In PowerShell 5.1, `>`, `Out-File` and "
        "`Set-Content -Encoding UTF8` write one.",
        phrases=("byte order mark",),
        is_local=True,
    ),
    Remedy(
        ("ConfigParseError",),
        "the AWS configuration cannot be used: {detail}",
        "Correct the file. A section is [default] or [profile NAME], in the credentials file "
        "[NAME]; a setting is NAME = VALUE.",
        is_local=True,
    ),
    Remedy(
        ("MissingDependencyException",),
        "the AWS configuration cannot be used: {detail}",
        'Run `pip install "botocore[crt]"`.',
        is_local=True,
    ),
    Remedy(
        ("NoRegionError",),
        "no region was given",
        "Pass region=, or set AWS_DEFAULT_REGION.",
        is_local=True,
    ),
    Remedy(
        (
            *("Invalid*ConfigError", "InvalidDefaultsMode", "InvalidRetryModeError"),
            *("InvalidRetryConfigurationError", "InvalidEndpointConfigurationError"),
            *("InvalidIMDS*", "InvalidRegionError", "UnknownCredentialError"),
        ),
        "the AWS configuration cannot be used: {detail}",
        "Correct the setting, in the environment or in AWS's configuration files.",
        is_local=True,
    ),
)
REMEDIES: Final = (
    *_DENIALS,
    *_CREDENTIALS,
    *_ANSWERS,
    *_OTHER_CODES,
    *_NETWORK_FAILURES,
    *_LOCAL_FAILURES,
)
"""The table, in order: the first entry that fits an error is its remedy."""


# --- finding --------------------------------------------------------------------------


def find_remedy(
    code: str, text: str = "", *, operation: str = "", service: str = ""
) -> Remedy | None:
    """Return the first entry of the table that fits an error; None if none does.

    Examples
    --------
    >>> find_remedy("ThrottlingException").why
    'AWS limits requests for each account and region, and other programs use the same limit.'
    >>> find_remedy("SomethingNew") is None
    True
    """
    plain = re.sub(r"^(?:Client|Server)\.", "", code)
    fitting = (it for it in REMEDIES if it.fits(plain, text, operation, service))
    return next(fitting, None)


def give_advice(
    code: str, text: str = "", *, operation: str = "", service: str = "", **facts: object
) -> str:
    """Return what to do about an error of AWS; empty if nothing is known to help.

    `facts` are values for the names in braces, such as ``region``.

    Examples
    --------
    >>> give_advice("AccessDenied", operation="ListRules", service="rbin")
    'Allow the IAM action rbin:ListRules.'
    """
    remedy = find_remedy(code, text, operation=operation, service=service)
    if remedy is None:
        return ""
    return remedy.advice.format_map(collect_facts(text, operation, service, facts))


def collect_facts(
    text: str = "",
    operation: str = "",
    service: str = "",
    facts: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return the values of the names in braces: of a request, and those that AWS's text has.

    AWS names who was denied, the action, and the policy. These are no secrets.

    Examples
    --------
    >>> facts = collect_facts("User: arn:aws:iam::1:user/me is not authorized to perform: s3:Get "
    ...                       "with an explicit deny in a session policy")
    >>> facts["principal"], facts["action"], facts["policy"]
    ('arn:aws:iam::1:user/me', 's3:Get', 'the session policy')
    """
    defaults = {
        "action": f"{service}:{operation}",
        "principal": "the caller",
        "policy": "a policy",
        "region": "the region",
        "login": "aws sso login",
        "console_login": "aws login",
        "renewal": "renew them",
        "detail": text,
    }
    if denial := _DENIAL.search(text):
        defaults |= denial.groupdict()
    if found := _POLICY.search(text):
        defaults["policy"] = f"the {found['policy']}" + (f" {found['arn']}" if found["arn"] else "")
    return defaults | dict(facts or {})
