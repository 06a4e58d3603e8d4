"""Findings: what is wrong with Fast Launch, what it costs, and what to do about it.

Each rule is one small function; :data:`RULES` lists them with their sources.
Nothing here is run against AWS: a remedy is a command for a person to look at.
"""

from fastlaunch_nb.findings.found import RULES, findings, rules_table
from fastlaunch_nb.findings.rules import SEVERITIES, Facts, Rule

__all__ = ["RULES", "SEVERITIES", "Facts", "Rule", "findings", "rules_table"]
