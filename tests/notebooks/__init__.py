"""Tests of the committed notebooks."""
