"""The history of a fleet: an append-only store of sweeps and events, as Parquet files."""
