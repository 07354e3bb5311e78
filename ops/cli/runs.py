"""`ops dataset runs`."""
