"""Tests of fastlaunch_nb: each test's docstring is a promise."""
