"""Tests of installing: from a clone, from a wheel, on Binder."""
