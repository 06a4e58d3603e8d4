"""Tests of `fastlaunch_nb/cli`."""
