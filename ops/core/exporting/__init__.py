"""Files for trainers: records in, files out.

Owns the policies (which of several answers counts) and the writers, one a format: pure, streaming
and deterministic. Writes no file and reads no repository: that is ops/runner/export.py.
"""
