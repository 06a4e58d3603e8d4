"""Tables and sections of the documents that are made from the code.

``python -m tests.helpers.tables`` writes each of them again, between its two markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from fastlaunch_nb.aws.clients import READ_ONLY
from fastlaunch_nb.aws.remedies import REMEDIES, Remedy, collect_facts
from fastlaunch_nb.joins.queries import ACTIONS
from fastlaunch_nb.rules.evaluate import RULES
from fastlaunch_nb.rules.rule import Rule
from fastlaunch_nb.schema.columns import COLUMNS
from fastlaunch_nb.schema.joins import JOINS, NOT_READ
from tests.helpers.samples import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"(<!-- table: (\w+) -->\n\n).*?(\n\n<!-- end of table -->)", re.DOTALL)


def make_columns_table() -> str:
    """Return the columns of images, with their fields of the API."""
    rows = ((f"`{c.name}`", str(c.dtype), c.meaning, ".".join(c.path)) for c in COLUMNS)
    return make_table(("column", "dtype", "meaning", "field of the API"), rows)


def make_joins_table() -> str:
    """Return the columns that each join adds."""
    rows = [
        (f"`{join}`", f"`{c.name}`", str(c.dtype), c.meaning)
        for join, columns in JOINS.items()
        for c in columns
    ]
    rows.append(("every join", f"`{NOT_READ.name}`", str(NOT_READ.dtype), NOT_READ.meaning))
    return make_table(("join", "column", "dtype", "meaning"), rows)


def make_actions_table() -> str:
    """Return the IAM actions that each join needs."""
    rows = (
        (f"`{join}`", ", ".join(f"`{action}`" for action in actions))
        for join, actions in ACTIONS.items()
    )
    return make_table(("join", "IAM actions"), rows)


def make_operations_table() -> str:
    """Return the operations that the toolkit calls, by service."""
    rows = ((service, ", ".join(f"`{it}`" for it in names)) for service, names in READ_ONLY.items())
    return make_table(("service", "operations"), rows)


def make_findings_table() -> str:
    """Return the rules at a glance, each with a link to its section."""
    rows = ((f"[`{r.name}`](#{r.name})", r.severity, r.what) for r in RULES)
    return make_table(("finding", "severity", "what it finds"), rows)


def make_rules_sections() -> str:
    """Return a section for each rule: its source, what it needs and when it is silent."""
    return "\n\n".join(map(_make_rule_section, RULES))


def _make_rule_section(rule: Rule) -> str:
    needs = ", ".join(f"`{name}`" for name in (*rule.needs, *rule.reads))
    lines = [
        f"### {rule.name}\n",
        f"**{rule.severity.capitalize()}**: {rule.what}.\n",
        f"- **Source:** {rule.source}. {rule.statement}",
        f"- **Needs:** {needs}",
        *([f"- **Also silent when:** {rule.silent}"] if rule.silent else []),
        f"- **Advises:** {rule.advises}",
    ]
    return "\n".join(lines)


def make_remedies_table() -> str:
    """Return the remedies, with the errors that each fits."""
    facts = collect_facts() | {
        "action": "SERVICE:OPERATION",
        "principal": "the caller",
        "policy": "that policy",
        "detail": "…",
        "region": "REGION",
        "login": "aws sso login --profile NAME",
        "console_login": "aws login --profile NAME",
        "renewal": "renew them; with SSO, run `aws sso login --profile NAME`",
    }
    first_uses = {remedy.codes: remedy for remedy in reversed(REMEDIES)}
    rows = (
        (
            _describe_error(remedy, is_first=first_uses[remedy.codes] is remedy),
            _make_sentence(remedy.why.format_map(facts)),
            remedy.advice.format_map(facts),
        )
        for remedy in REMEDIES
    )
    return make_table(("code and text", "why", "what to do"), rows)


def _describe_error(remedy: Remedy, *, is_first: bool) -> str:
    """Return the errors that a remedy fits; only the first of a list of codes has all of them."""
    names = [f"`{code}`" for code in remedy.codes if code != "*"] or ["any code"]
    codes = ", ".join(names if is_first else [*names[:1], *["…"] * (len(names) > 1)])
    phrases = " or ".join(f"“{phrase}”" for phrase in remedy.phrases)
    where = ", ".join(remedy.operations or remedy.services)
    return f"{codes}{f' of {where}' if where else ''}{f' with {phrases}' if phrases else ''}"


def _make_sentence(text: str) -> str:
    """Return text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:].removesuffix('.').removesuffix(': …')}."


def make_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    ruler = "|" + "---|" * len(head)
    first, *others = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([first, ruler, *others])


TABLES: dict[str, Callable[[], str]] = {
    "columns": make_columns_table,
    "joins": make_joins_table,
    "actions": make_actions_table,
    "findings": make_findings_table,
    "rules": make_rules_sections,
    "operations": make_operations_table,
    "remedies": make_remedies_table,
}


def fill_tables(text: str) -> str:
    """Return a document with each of its marked tables made again."""
    return MARKED.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", text)


def write_tables(documents: Iterable[Path] = DOCUMENTS) -> None:
    """Write the tables of documents again."""
    for document in documents:
        document.write_text(fill_tables(document.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write_tables()
