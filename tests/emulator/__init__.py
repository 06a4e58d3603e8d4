"""Tests of `fastlaunch_nb/emulator`."""
