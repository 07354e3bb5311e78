"""A stack of Google Cloud as `ops` sees it: its outputs, as data, and the way to its servers.

Knows the contract of infra/outputs.py, never infra itself: what is read is `pulumi stack output`.
"""
