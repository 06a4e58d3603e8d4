"""The demo: a fleet with a history in the emulator, and an environment that leads boto3 to it."""
