"""Runs the verbs: observe the servers, plan, apply the first step, observe again.

Owns the order in which servers are asked and written to, so that a verb may be killed anywhere and
run again. Knows the servers only through ops.ports; decides by ops.core; prints nothing.
"""
