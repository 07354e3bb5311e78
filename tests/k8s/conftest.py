"""The cluster, for the tests of the manifests."""

from tests.k8s.cluster import cluster

__all__ = ["cluster"]
