"""`ops dataset pull`."""
