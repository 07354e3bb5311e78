"""`ops data profile`."""
