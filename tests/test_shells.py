"""Quoting for shells: each shell, as its own rules have it, gives a program the same words."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.shells import (
    FORMATS,
    SHELLS,
    format_comment,
    format_environment,
    get_native_format,
    get_native_shell,
    join_words,
    quote_powershell,
)
from tests.helpers.cases import some

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
SHELL_TEXT = st.text("ab \"'`^%!&|<>()$;,@=\\*?~#{}[]\n", max_size=8)


# --- rules of Windows -----------------------------------------------------------------


def parse_like_c(line: str) -> list[str]:
    """Split a command line as the C runtime of Windows does.

    Backslashes count only before a double quote: two are one, and an odd one escapes it.
    """
    words: list[str] = []
    for match in re.finditer(r"(?:[^ \t\"\\]|\\+(?!\\*\")|(\\*)\"|[ \t]+)", line):
        slashes, text = match[1], match[0]
        if slashes is None and text.isspace() and not is_quoted(line[: match.start()]):
            words.append("")
            continue
        if not words:
            words.append("")
        even = text if slashes is None else slashes[: len(slashes) // 2]
        words[-1] += even + '"' * (len(slashes or "") % 2)
    return words


def is_quoted(start: str) -> bool:
    """Return True if the start of a command line ends within quotes."""
    return len(re.findall(r'(?<!\\)(?:\\\\)*"', start)) % 2 == 1


def run_through_cmd(line: str) -> str:
    """Return the line that cmd passes on; fail if it would interpret a part of it."""
    outside = re.sub(r'"[^"]*"', "", line)
    assert not set(outside) & set('&|<>^()%!"\n'), outside
    assert not set(line) & set("%!\r\n")  # these count in quotes, too
    return line


def run_through_powershell(line: str) -> list[str]:
    """Return the words of a command, of which PowerShell interprets nothing in single quotes."""
    words = []
    for quoted, plain in some(re.findall(r"'((?:[^']|'')*)'(?= |$)|(\S+)", line)):
        assert re.fullmatch(r"[A-Za-z0-9_.:/=-]*", plain)
        assert not re.search("[\u2018-\u201f]", quoted)
        words.append(plain or quoted.replace("''", "'"))
    return words


def pass_like_powershell_5(words: list[str]) -> str:
    """Return the command line that PowerShell 5.1 makes: it quotes what has spaces, and no more."""
    return " ".join(f'"{word}"' if re.search(r"\s", word) or not word else word for word in words)


@pytest.mark.parametrize("line", [r'a "b c" d\e', r'"a \"b\" c"', r'"a\\" b', '"" x'])
def test_the_rules_of_the_c_runtime(line: str) -> None:
    """The parser here undoes what the standard library quotes for Windows."""
    words = parse_like_c(line)
    assert parse_like_c(subprocess.list2cmdline(words)) == words


# --- words ----------------------------------------------------------------------------


@given(st.lists(WORDS | SHELL_TEXT, min_size=1, max_size=4))
@example(["aws", "--filters", "Name=state,Values=enabled,enabling"])
@example(["aws", "--query", "Images[?contains(['a', 'b'], State) && Owner == `null`]"])
@example(["ends with a backslash\\"])
@example(["\u2019; calc"])
def test_a_shell_passes_words_on_or_refuses_them(words: list[str]) -> None:
    """A program gets the words as they are, from a POSIX shell, PowerShell 5.1 and cmd."""
    assert shlex.split(join_words(words, "posix")) == words
    lines = {
        shell: join_words(words, shell)
        for shell in ("powershell", "cmd")
        if not is_refused(words, shell)
    }
    read = {shell: read_words(line, shell, words) for shell, line in lines.items()}
    assert read == dict.fromkeys(lines, words)


def is_refused(words: list[str], shell: str) -> bool:
    """Return True if words make no command for a shell."""
    try:
        join_words(words, shell)
    except fl.InputError:
        return True
    return False


def read_words(line: str, shell: str, words: list[str]) -> list[str]:
    """Return the words that a program gets from a line of a shell."""
    if shell == "cmd":
        return parse_like_c(run_through_cmd(line))
    parsed = run_through_powershell(line)
    if not all(words):  # 5.1 drops empty words, which no program that we call has
        return parsed
    return parse_like_c(pass_like_powershell_5(parsed))


@pytest.mark.parametrize(
    ("word", "refused"),
    [
        ("a b", set()),
        ("it's", set()),
        ("100%", {"cmd"}),
        ("wow!", {"cmd"}),
        ('a "b"', {"powershell", "cmd"}),
        ("C:\\", {"powershell", "cmd"}),
        ("two\nlines", {"powershell", "cmd"}),
        ("\u2018", {"powershell"}),
    ],
)
def test_what_a_shell_would_change_is_refused(word: str, refused: set[str]) -> None:
    """A word that a shell changes even in quotes is an error that names the shell's problem."""
    assert {shell for shell in SHELLS if is_refused([word], shell)} == refused


def test_plain_words_have_no_quotes() -> None:
    """What no shell interprets stays as it is; a comma makes a list in PowerShell.

    In a loop of cmd, ``for /f … in ('…')``, commas and equals signs without quotes are spaces.
    """
    words = ["aws", "--region", "eu-west-1", "Name=state,Values=enabled"]
    assert join_words(words, "posix") == " ".join(words)
    assert join_words(words, "cmd") == 'aws --region eu-west-1 "Name=state,Values=enabled"'
    assert join_words(words, "powershell") == "aws --region eu-west-1 'Name=state,Values=enabled'"


def test_an_unknown_shell_is_refused() -> None:
    """The error has the shells that there are."""
    with pytest.raises(fl.InputError, match=r"shell is 'bash'\. Expected one of 'posix'"):
        join_words(["ls"], "bash")


@pytest.mark.parametrize(
    ("platform", "shell", "form"),
    [("linux", "posix", "sh"), ("darwin", "posix", "sh"), ("win32", "powershell", "powershell")],
)
def test_the_shell_of_a_machine(
    platform: str, shell: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People on Windows get commands for PowerShell, all others for a POSIX shell."""
    monkeypatch.setattr(sys, "platform", platform)
    assert (get_native_shell(), get_native_format()) == (shell, form)


# --- literals and comments ------------------------------------------------------------

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"


@given(st.text(st.sampled_from(f"ab ${{}}`{SINGLE_QUOTES}")))
def test_a_literal_of_powershell_is_its_text(text: str) -> None:
    """By PowerShell's rule, that any two single quotes in a literal are one, it is the text."""
    literal = quote_powershell(text)
    read = re.sub(f"([{SINGLE_QUOTES}])[{SINGLE_QUOTES}]", r"\1", literal[1:-1])
    assert (literal[0], literal[-1], read) == ("'", "'", text)


def test_a_literal_of_powershell_is_one_line() -> None:
    """A text with a line break, which would end a pasted command, is refused."""
    with pytest.raises(fl.InputError, match="No line of PowerShell"):
        quote_powershell("a\nb")


@given(st.text())
def test_a_comment_is_harmless_even_as_a_command(text: str) -> None:
    """A comment is one line in which no shell finds a quote, a variable or another command."""
    for shell, mark in some({"posix": "#", "powershell": "#", "cmd": "REM"}.items()):
        first, _, rest = format_comment(text, shell).partition(" ")
        assert first == mark
        assert re.fullmatch(r"[A-Za-z0-9_.:,/@+ ?-]*", rest)


# --- variables ------------------------------------------------------------------------

VARIABLES = {"AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": "C:\\it's 100% $HOME\\config"}


@pytest.mark.parametrize("form", [name for name in ("sh", "fish") if shutil.which(name)])
def test_a_shell_sets_variables(form: str) -> None:
    """A script sets the variables exactly, and removes others of AWS that could lead elsewhere."""
    script = format_environment(VARIABLES, form)
    read = " && ".join(f'printf "%s\\n" "${name}"' for name in (*VARIABLES, "AWS_PROFILE"))
    done = subprocess.run(
        [form, "-c", f"{script}\n{read.replace(' && ', '; ')}"],
        env={"PATH": "/usr/bin:/bin", "AWS_PROFILE": "other", "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [*VARIABLES.values(), ""]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("fish", r"set -gx AWS_CONFIG_FILE 'C:\\it\'s 100% $HOME\\config'"),
        ("powershell", r"$env:AWS_CONFIG_FILE = 'C:\it''s 100% $HOME\config'"),
        ("cmd", r'@set "AWS_CONFIG_FILE=C:\it' + r"'s 100%% $HOME\config" + '"'),
    ],
)
def test_the_script_for_a_shell(form: str, expected: str) -> None:
    """Each value is in the quotes of its shell; the first line removes other variables."""
    first, *lines = format_environment(VARIABLES, form).splitlines()
    assert "AWS_" in first
    assert "no_proxy" in first or form == "cmd"  # the names of variables have no case there
    assert lines[-1] == expected
    assert set(FORMATS) == {"sh", "fish", "powershell", "cmd"}
