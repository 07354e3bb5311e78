"""`ops round add` and `drop`: tasks of an open round."""
