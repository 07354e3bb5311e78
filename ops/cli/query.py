"""`ops dataset query`: SQL over a version."""
