"""The embedded EC2: what DescribeFastLaunchImages talks to where there is no AWS.

An extension of moto, in-process and over HTTP. It shares no code with the part
of the toolkit that reads, so that one proves the other.
"""

from fastlaunch_nb.emulator.change_log import GONE, JOURNAL, Change, json_lines, notifications
from fastlaunch_nb.emulator.clock import CLOCK, START, Clock
from fastlaunch_nb.emulator.faults import FAULTS, Faults, faulty
from fastlaunch_nb.emulator.image import FastLaunchImage
from fastlaunch_nb.emulator.moto_extension import backend, forget_everything, install
from fastlaunch_nb.emulator.organization import Account, Unit, organize
from fastlaunch_nb.emulator.server import Server

__all__ = [
    "CLOCK",
    "FAULTS",
    "GONE",
    "JOURNAL",
    "START",
    "Account",
    "Change",
    "Clock",
    "FastLaunchImage",
    "Faults",
    "Server",
    "Unit",
    "backend",
    "faulty",
    "forget_everything",
    "install",
    "json_lines",
    "notifications",
    "organize",
]
