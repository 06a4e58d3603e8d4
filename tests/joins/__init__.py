"""Tests of `fastlaunch_nb/joins`."""
