"""The network all servers stand in, and its ways out.

Owns the VPC, its one subnet with the ranges of pods and services, the NAT through which images are
pulled, and the peering to Cloud SQL. Nothing in it has a public address. Deliberately not managed:
firewall rules (a VPC of one's own lets nothing in, and GKE writes the rules its nodes need), VPN
and peerings to other networks, a hierarchy of shared VPCs.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.naming import PODS_RANGE, SERVICES_RANGE

# Disjoint, and clear of 10.128.0.0/9 (Google's automatic subnets) and 172.17.0.0/16 (Docker), so
# that this network can be peered with either. Autopilot gives each node a /24 or smaller of the
# pods' range: 1 024 nodes. A range cannot be made smaller once it is used.
NODES_CIDR = "10.10.0.0/20"
PODS_CIDR = "10.16.0.0/14"
SERVICES_CIDR = "10.20.0.0/20"
PEERING_PREFIX_LENGTH = 20
"""Room for 16 of the /24 that Google takes for each service and region of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """What the network is made of.

    Attributes:
        private_services: whether Google's managed services, as Cloud SQL, get an address in it.
    """

    project: str
    region: str
    network_name: str
    subnetwork_name: str
    router_name: str
    nat_name: str
    peering_name: str
    private_services: bool


class Network(pulumi.ComponentResource):
    """A VPC with one subnet.

    Attributes:
        network_id: `projects/…/global/networks/…`.
        pods_range: name of the subnet's secondary range for pods.
        services_range: name of that for services.
        peering: what Cloud SQL must wait for; None where private services were not asked for.
        exits: the NAT: without it no image is pulled.
    """

    network_id: pulumi.Output[str]
    network_self_link: pulumi.Output[str]
    subnetwork_self_link: pulumi.Output[str]
    pods_range: str
    services_range: str
    peering: pulumi.Resource | None
    exits: pulumi.Resource

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the network and all in it."""
        super().__init__("labeling-ops:infra:Network", name, None, opts)
        network = gcp.compute.Network(
            name,
            gcp.compute.NetworkArgs(
                project=args.project,
                name=args.network_name,
                auto_create_subnetworks=False,
                routing_mode="REGIONAL",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        subnetwork = self._subnetwork(name, args, network)
        self.exits = self._exits(name, args, network)
        self.peering = self._peering(name, args, network) if args.private_services else None
        self.network_id = network.id
        self.network_self_link = network.self_link
        self.subnetwork_self_link = subnetwork.self_link
        self.pods_range = PODS_RANGE
        self.services_range = SERVICES_RANGE
        self.register_outputs(
            {"network": self.network_self_link, "subnetwork": self.subnetwork_self_link}
        )

    def _subnetwork(
        self, name: str, args: NetworkArgs, network: gcp.compute.Network
    ) -> gcp.compute.Subnetwork:
        ranges = {PODS_RANGE: PODS_CIDR, SERVICES_RANGE: SERVICES_CIDR}
        return gcp.compute.Subnetwork(
            name,
            gcp.compute.SubnetworkArgs(
                project=args.project,
                region=args.region,
                name=args.subnetwork_name,
                network=network.id,
                ip_cidr_range=NODES_CIDR,
                secondary_ip_ranges=[
                    gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name=each, ip_cidr_range=cidr)
                    for each, cidr in ranges.items()
                ],
                # Buckets, keys and logs are reached without NAT, and never over the internet.
                private_ip_google_access=True,
                log_config=gcp.compute.SubnetworkLogConfigArgs(
                    # A tenth of the flows tells who talked to whom at a tenth of the price.
                    aggregation_interval="INTERVAL_10_MIN",
                    flow_sampling=0.1,
                    metadata="INCLUDE_ALL_METADATA",
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _exits(
        self, name: str, args: NetworkArgs, network: gcp.compute.Network
    ) -> gcp.compute.RouterNat:
        router = gcp.compute.Router(
            name,
            gcp.compute.RouterArgs(
                project=args.project,
                region=args.region,
                name=args.router_name,
                network=network.id,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return gcp.compute.RouterNat(
            name,
            gcp.compute.RouterNatArgs(
                project=args.project,
                region=args.region,
                name=args.nat_name,
                router=router.name,
                nat_ip_allocate_option="AUTO_ONLY",
                source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
                # A node that pulls a dozen images at once runs out of the 64 ports it has else.
                # The two exclude each other, and the second is of use to peer-to-peer games only.
                enable_dynamic_port_allocation=True,
                enable_endpoint_independent_mapping=False,
                min_ports_per_vm=64,
                max_ports_per_vm=4096,
                log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _peering(
        self, name: str, args: NetworkArgs, network: gcp.compute.Network
    ) -> gcp.servicenetworking.Connection:
        addresses = gcp.compute.GlobalAddress(
            f"{name}-peering",
            gcp.compute.GlobalAddressArgs(
                project=args.project,
                name=args.peering_name,
                purpose="VPC_PEERING",
                address_type="INTERNAL",
                prefix_length=PEERING_PREFIX_LENGTH,
                network=network.id,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return gcp.servicenetworking.Connection(
            name,
            gcp.servicenetworking.ConnectionArgs(
                network=network.id,
                service="servicenetworking.googleapis.com",
                reserved_peering_ranges=[addresses.name],
                # Google refuses to remove it for days after the last instance is gone: left to
                # the network, whose deletion takes it along.
                deletion_policy="ABANDON",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
