"""Charts: a DataFrame in, a plotly Figure out. No clock, no network, no state."""
