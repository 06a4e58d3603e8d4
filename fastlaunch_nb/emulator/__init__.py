"""The emulator: EC2 Fast Launch for moto, in-process and over HTTP, for the demo and for tests.

It shares no code with the part of the toolkit that reads AWS, so each can be tested
against the other.
"""
