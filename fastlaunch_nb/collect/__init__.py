"""Reading: one account and region, or all of them at once. Partial failure is data."""
