"""What is claimed to be fast, measured beside its alternatives: ``make bench``."""
