"""Findings: what is wrong with Fast Launch, what it costs, and what to do. No command is run."""
