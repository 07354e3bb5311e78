"""The S3 gateway inside the VPC, for training jobs: one internal address and names for it.

Owns an internal load balancer before lakeFS, its reserved address and a private DNS zone, so that
path style (`http://s3.<zone>/<repository>/<ref>/…`) and virtual-host style
(`http://<repository>.s3.<zone>/<ref>/…`) both work. Plain HTTP: requests are signed, bytes stay in
the VPC, and Google encrypts them between machines. Who may reach it is a matter of addresses; who
may read is lakeFS's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra.cluster import Cluster
from infra.custom import Place
from infra.exposure import admit
from infra.naming import Workload

ZONE = "labeling-ops.internal"
S3_DOMAIN = f"s3.{ZONE}"
"""The S3 gateway's own name. Under it and below it lakeFS serves S3 alone."""
S3_ENDPOINT = f"http://{S3_DOMAIN}"
PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""The VPC's subnets, whichever are added to it, and networks it is connected to."""
_SERVICE = "lakefs-internal"
_PORT = 80
_TTL_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAccessArgs:
    """Where the address is, and for whom.

    Attributes:
        resource_name: of address and zone in the project.
        network: self link of the VPC in which the names are known.
        subnetwork: self link of the subnet the address is of.
        sources: whose requests pass.
        after: what must stand before, at least the namespace.
    """

    region: str
    resource_name: str
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    labels: Mapping[str, str]
    cluster: Cluster
    namespace: str
    after: Sequence[pulumi.Resource]
    sources: Sequence[str] = PRIVATE_RANGES


class TrainingAccess(pulumi.ComponentResource):
    """The internal address, and the names that lead to it.

    Attributes:
        address: of the subnet.
    """

    address: pulumi.Output[str]

    def __init__(
        self, name: str, args: TrainingAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare address, names, load balancer, and whom it lets in."""
        super().__init__("labeling-ops:infra:TrainingAccess", name, None, opts)
        reserved = gcp.compute.Address(
            name,
            gcp.compute.AddressArgs(
                name=args.resource_name,
                region=args.region,
                subnetwork=args.subnetwork,
                address_type="INTERNAL",
                # Not SHARED_LOADBALANCER_VIP: one forwarding rule, and no other may take it.
                purpose="GCE_ENDPOINT",
                labels=args.labels,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.address = reserved.address
        self._names(name, args)
        place = Place(
            parent=self, cluster=args.cluster, namespace=args.namespace, after=tuple(args.after)
        )
        self._load_balancer(place, args.sources)
        self._admission(place, args.sources)
        self.register_outputs({"address": self.address})

    def _names(self, name: str, args: TrainingAccessArgs) -> None:
        zone = gcp.dns.ManagedZone(
            name,
            gcp.dns.ManagedZoneArgs(
                name=args.resource_name,
                dns_name=f"{ZONE}.",
                description="lakeFS's S3 gateway, inside this network",
                visibility="private",
                private_visibility_config=gcp.dns.ManagedZonePrivateVisibilityConfigArgs(
                    networks=[
                        gcp.dns.ManagedZonePrivateVisibilityConfigNetworkArgs(
                            network_url=args.network
                        )
                    ]
                ),
                labels=args.labels,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for key, host in {"path-style": S3_DOMAIN, "virtual-host-style": f"*.{S3_DOMAIN}"}.items():
            gcp.dns.RecordSet(
                key,
                gcp.dns.RecordSetArgs(
                    managed_zone=zone.name,
                    name=f"{host}.",
                    type="A",
                    rrdatas=[self.address],
                    ttl=_TTL_S,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _load_balancer(self, place: Place, sources: Sequence[str]) -> None:
        annotations: Mapping[str, pulumi.Input[str]] = {
            "networking.gke.io/load-balancer-type": "Internal",
            # Training jobs of the same VPC may run in another region.
            "networking.gke.io/internal-load-balancer-allow-global-access": "true",
        }
        kubernetes.core.v1.Service(
            _SERVICE,
            metadata=place.metadata(_SERVICE, annotations),
            spec=kubernetes.core.v1.ServiceSpecArgs(
                type="LoadBalancer",
                load_balancer_ip=self.address,
                load_balancer_source_ranges=[*sources],
                # The client's own address arrives, which the NetworkPolicy below looks at.
                external_traffic_policy="Local",
                selector={"app.kubernetes.io/name": str(Workload.LAKEFS)},
                ports=[
                    kubernetes.core.v1.ServicePortArgs(
                        name="http", port=_PORT, target_port="http", protocol="TCP"
                    )
                ],
            ),
            opts=place.options(),
        )

    def _admission(self, place: Place, sources: Sequence[str]) -> None:
        kubernetes.networking.v1.NetworkPolicy(
            "from-training-jobs",
            metadata=place.metadata("from-training-jobs"),
            spec=kubernetes.networking.v1.NetworkPolicySpecArgs(
                pod_selector=kubernetes.meta.v1.LabelSelectorArgs(
                    match_labels={"app.kubernetes.io/name": str(Workload.LAKEFS)}
                ),
                policy_types=["Ingress"],
                ingress=[admit(sources)],
            ),
            opts=place.options(),
        )
