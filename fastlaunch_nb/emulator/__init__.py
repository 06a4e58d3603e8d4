"""The embedded EC2: what DescribeFastLaunchImages talks to where there is no AWS.

An extension of moto, in-process and over HTTP. It shares no code with the part
of the toolkit that reads, so that one proves the other.
"""

from fastlaunch_nb.emulator.clock import CLOCK, Clock
from fastlaunch_nb.emulator.models import FastLaunchImage
from fastlaunch_nb.emulator.protocol import backend, forget_everything, install
from fastlaunch_nb.emulator.server import Server

__all__ = ["CLOCK", "Clock", "FastLaunchImage", "Server", "backend", "forget_everything", "install"]
