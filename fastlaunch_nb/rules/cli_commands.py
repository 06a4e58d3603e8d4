"""Commands of the AWS CLI, for a person to check and run.

A command is text for a POSIX shell, such as that of AWS CloudShell. It runs only in the account
that it names: it compares that account with the one of the credentials first. A word with a
character that any shell might interpret makes no command at all.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.rules.rule import RowText, is_known
from fastlaunch_nb.schema.columns import ACCOUNT_REGION
from fastlaunch_nb.shells import check_shell, join_words

CREATED_BY: Final = "Name=tag:CreatedBy,Values=EC2 Fast Launch"
"""The filter for what Fast Launch creates."""
_WHO_AM_I: Final = (
    *("aws", "sts", "get-caller-identity"),
    *("--query", "Account", "--output", "text"),
)
_SAFE_WORD: Final = re.compile(r"[A-Za-z0-9_.:/()=,*$@+ -]+")  # harmless in quotes of any shell
_ACCOUNT: Final = re.compile(r"\d{12}")


class Step(NamedTuple):
    """A part of a command: the words of a program, and the output that they must have, if any."""

    words: tuple[str, ...]
    expected: str | None = None


def make_step(
    service: str, operation: str, region: Any, *words: Any, expected: str | None = None
) -> Step:
    """Make a step that calls an operation of AWS in a region."""
    arguments = map(str, ("--region", region, *words))
    return Step(("aws", service, operation, *arguments), expected)


def format_command(account_id: Any, *steps: Step) -> str | None:
    """Format steps as a command that runs in one account only; None if it would not be safe.

    Examples
    --------
    >>> image_id = "ami-0abcdef1234567890"
    >>> look = make_step("ec2", "describe-images", "eu-west-1", "--image-ids", image_id)
    >>> print(format_command("111122223333", look))
    test "$(aws sts get-caller-identity --query Account --output text)" = 111122223333 && \
aws ec2 describe-images --region eu-west-1 --image-ids ami-0abcdef1234567890
    >>> format_command("111122223333", make_step("ec2", "describe-images", "`reboot`")) is None
    True
    """
    if not _is_account(account_id):
        return None
    guarded = (Step(_WHO_AM_I, str(account_id)), *steps)
    if not all(_SAFE_WORD.fullmatch(word) for step in guarded for word in step.words):
        return None
    return " && ".join(map(_format_posix, guarded))


def _is_account(account_id: Any) -> bool:
    return is_known(account_id) and _ACCOUNT.fullmatch(str(account_id)) is not None


def row_command(make_row_step: Callable[..., Step], *columns: str) -> RowText:
    """Return a command of one step for each row, made from its region and these columns."""

    def format_row(account_id: Any, region: Any, *values: Any) -> str | None:
        if not _is_account(account_id):  # many images may lack theirs
            return None
        return format_command(account_id, make_row_step(region, *values))

    return RowText(format_row, *ACCOUNT_REGION, *columns)


def _format_posix(step: Step) -> str:
    words = shlex.join(step.words)
    return words if step.expected is None else f'test "$({words})" = {step.expected}'


# --- other shells ---------------------------------------------------------------------


def render_command(command: str, shell: str = "powershell", *, profile: str | None = None) -> str:
    """Render a command of a finding for another shell.

    Parameters
    ----------
    command : str
        A command from the column ``command`` of :func:`fastlaunch_nb.findings`.
    shell : {"posix", "powershell", "cmd"}, default "powershell"
        The shell: PowerShell 5.1 or later, or the prompt of Windows. In a batch file, write
        ``%%`` for each ``%`` of the command for ``"cmd"``.
    profile : str, optional
        The profile of the AWS CLI to use. Default: the credentials that the shell has.

    Returns
    -------
    str
        The command. It still runs only in the account that it names.

    Raises
    ------
    InputError
        If the command is not one of a finding, the shell is unknown, or a shell might interpret
        a character of the profile.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> command = (
    ...     'test "$(aws sts get-caller-identity --query Account --output text)" = 111122223333'
    ...     " && aws ec2 describe-images --region eu-west-1 --owners self"
    ... )
    >>> print(fl.render_command(command))
    if ((aws sts get-caller-identity --query Account --output text) -eq '111122223333') \
{ aws ec2 describe-images --region eu-west-1 --owners self }
    """
    check_shell(shell)
    options: tuple[str, ...] = ()
    if profile is not None:
        if not isinstance(profile, str) or not _SAFE_WORD.fullmatch(profile):
            raise InputError(
                f"profile is {profile!r}. Expected a name of letters, digits, spaces and "
                "_.:/()=,*$@+-, which no shell interprets in quotes."
            )
        options = ("--profile", profile)
    steps = [step._replace(words=(*step.words, *options)) for step in _parse_command(command)]
    if shell == "posix":
        return " && ".join(map(_format_posix, steps))
    return (_format_powershell if shell == "powershell" else _format_cmd)(steps)


def show_command(command: str, shell: str) -> str:
    """Return a command as text for people who use a shell; name the shell if it is another one.

    Examples
    --------
    >>> show_command("ls", "cmd")  # of a rule of the user's own
    'For a POSIX shell: ls'
    """
    if shell == "posix":
        return command
    try:
        return render_command(command, shell)
    except InputError:
        return f"For a POSIX shell: {command}"


def _parse_command(command: Any) -> list[Step]:
    """Return the steps of a command; refuse any other text."""
    steps: list[Step] = []
    try:
        words = shlex.split(command) if isinstance(command, str) else []
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            steps.append(_parse_step(words[:end]))
            words = words[end + 1 :]
    except ValueError:
        steps = []
    is_guarded = bool(steps) and steps[0].words == _WHO_AM_I and bool(steps[1:])
    if not is_guarded or " && ".join(map(_format_posix, steps)) != command:
        raise InputError(
            f"command is {command!r}. Expected one from the column command of fl.findings."
        )
    return steps


def _parse_step(words: list[str]) -> Step:
    if words[0] != "test":
        return Step(tuple(words))
    _, call, _, expected = words
    return Step(tuple(shlex.split(call.removeprefix("$(").removesuffix(")"))), expected)


def _format_powershell(steps: Sequence[Step]) -> str:
    first, *rest = steps
    words = join_words(first.words, "powershell")
    if first.expected is not None:
        inner = _format_powershell(rest)
        return f"if (({words}) -eq '{first.expected}') {{ {inner} }}"
    if not rest:
        return words
    return f"{words}; if ($LASTEXITCODE -eq 0) {{ {_format_powershell(rest)} }}"


def _format_cmd(steps: Sequence[Step], depth: int = 0) -> str:
    first, *rest = steps
    words = join_words(first.words, "cmd")
    if first.expected is None:
        return f"{words} && {_format_cmd(rest, depth)}" if rest else words
    name = f"%{chr(ord('a') + depth)}"
    inner = _format_cmd(rest, depth + 1)
    return f'for /f "delims=" {name} in (\'{words}\') do @if "{name}"=="{first.expected}" ({inner})'


# --- steps that several rules use -----------------------------------------------------


def list_preparations(region: Any, image_id: Any) -> Step:
    """Return the step that lists the preparation instances of an image."""
    filters = [CREATED_BY, f"Name=image-id,Values={image_id}"]
    return make_step("ec2", "describe-instances", region, "--filters", *filters)


def list_instances(region: Any, image_id: Any) -> Step:
    """Return the step that lists the instances of an image."""
    image = f"Name=image-id,Values={image_id}"
    return make_step("ec2", "describe-instances", region, "--filters", image)


def list_snapshots(region: Any, image_id: Any) -> Step:
    """Return the step that lists the Fast Launch snapshots of an image."""
    description = f"Name=description,Values=This is Fast Launch snapshot for image {image_id}*"
    options = ["--owner-ids", "self", "--filters", CREATED_BY, description]
    return make_step("ec2", "describe-snapshots", region, *options)


def list_amis(region: Any, image_id: Any) -> Step:
    """Return the step that lists an AMI, also a deprecated or a disabled one."""
    options = ["--filters", f"Name=image-id,Values={image_id}"]
    options += ["--include-deprecated", "--include-disabled"]
    return make_step("ec2", "describe-images", region, *options)


def list_fast_launch(region: Any, image_id: Any) -> Step:
    """Return the step that lists the Fast Launch of an image."""
    return make_step("ec2", "describe-fast-launch-images", region, "--image-ids", image_id)


def require_none(step: Step, items: str) -> Step:
    """Return a step that goes on only if a listing has no items."""
    query = ("--query", f"length({items})", "--output", "text")
    return Step((*step.words, *query), "0")
