"""What can be seen of running servers from outside, past the adapters: clock, database, signing.

Looks only, with the standard library; `ops doctor` is who asks.
"""
