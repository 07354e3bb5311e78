"""`ops data join`: tables beside the images."""
