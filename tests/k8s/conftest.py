"""The cluster, for the tests of the manifests."""

# What the ways in are declared with warns of itself as it loads: this one loads it quietly.
from tests.infra import conftest as providers
from tests.k8s.cluster import cluster

__all__ = ["cluster", "providers"]
