"""All invariants: importing this module imports each that adds some."""

from tests.infra.invariants import (
    access,
    cluster,
    database,
    exposure,
    network,
    operations,
    pods,
    program,
    ray,
    secrecy,
    storage,
)
from tests.infra.invariants.rule import INVARIANTS

__all__ = ["INVARIANTS"]

# Each says what it adds; named here so that none is imported for nothing.
MODULES = (
    access,
    cluster,
    database,
    exposure,
    network,
    operations,
    pods,
    program,
    ray,
    secrecy,
    storage,
)
