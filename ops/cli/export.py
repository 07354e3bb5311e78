"""`ops dataset export`."""
