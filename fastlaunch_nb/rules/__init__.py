"""Findings: what is wrong with Fast Launch, what it costs, what to do. Nothing is run here."""
