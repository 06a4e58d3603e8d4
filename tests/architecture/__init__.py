"""Tests of the code, the tests and the documents as a whole."""
