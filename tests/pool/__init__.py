"""Tests of `fastlaunch_nb/pool`."""
