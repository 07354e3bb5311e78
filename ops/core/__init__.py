"""The domain: records, ontology, rounds, snapshots, diffs, cards and plans.

Pure: imports the standard library and ops.errors only; no clock, no randomness, no environment, no
input or output. Everything here can be called with nothing installed and no server running.
"""
