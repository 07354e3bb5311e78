"""`ops dataset split` and `ops data dedup`."""
