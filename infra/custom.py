"""Resources of Kubernetes kinds that have no Python class: Gateway API and GKE's policies.

Owns how such a resource is declared and for whom. Does not know what is in one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from infra.cluster import Cluster

GATEWAY_API = "gateway.networking.k8s.io/v1"
GKE_API = "networking.gke.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where resources of the cluster go.

    Attributes:
        parent: the component that declares them.
        after: what must stand before them, at least the namespace.
    """

    parent: pulumi.Resource
    cluster: Cluster
    namespace: str
    after: tuple[pulumi.Resource, ...]

    def behind(self, *resources: pulumi.Resource) -> "Place":
        """The same place for what is declared after, and deleted before, these as well."""
        return replace(self, after=(*self.after, *resources))

    def options(self) -> pulumi.ResourceOptions:
        """Options of each resource.

        Not `deleted_with` the cluster: GKE makes load balancers of these, which would outlive it
        and hold on to the network.
        """
        return pulumi.ResourceOptions(
            parent=self.parent, provider=self.cluster.provider, depends_on=[*self.after]
        )

    def declare(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        *,
        api_version: str = GKE_API,
        annotations: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> pulumi.Resource:
        """One resource of a kind without a class."""
        return kubernetes.apiextensions.CustomResource(
            name,
            api_version=api_version,
            kind=kind,
            metadata=self.metadata(name, annotations),
            spec=dict(spec),
            opts=self.options(),
        )

    def metadata(
        self, name: str, annotations: Mapping[str, pulumi.Input[str]] | None = None
    ) -> kubernetes.meta.v1.ObjectMetaArgs:
        """Metadata of each resource."""
        return kubernetes.meta.v1.ObjectMetaArgs(
            name=name,
            namespace=self.namespace,
            labels={"app.kubernetes.io/part-of": self.namespace},
            annotations=annotations,
        )
