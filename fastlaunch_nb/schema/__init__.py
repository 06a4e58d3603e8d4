"""Schema: columns, dtypes, states, statuses, keys and prices, each declared once."""
