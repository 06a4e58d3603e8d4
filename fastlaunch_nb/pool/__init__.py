"""The model of a snapshot pool: how it drains and refills, and which size is right; pure."""
