"""Tests of findings: a table of cases for each file of rules, and what all rules share."""
