"""The command line: nouns and verbs, options, two renderings of one result, one error boundary.

Owns what people type and read. Decides nothing about rounds: that is ops/core's and ops/runner's.
"""
