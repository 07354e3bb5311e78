"""The public address, where there is one: HTTPS alone, Label Studio at the domain, lakeFS below it.

Owns the load balancer (GKE's Gateway), its address, routes, policies and the few who may pass
Identity-Aware Proxy. Without a domain nothing here is declared, and both servers are reached by
`ops open` and port-forwards. Does not own the certificate (infra/certificate.py).

With Identity-Aware Proxy people sign in with Google, which programs cannot do through Google's own
OAuth client: `ops` uses a port-forward then, and training jobs the address inside the VPC
(infra/training.py). It also lets in people of the project's own organization only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra.certificate import Certificate, CertificateArgs, Record
from infra.cluster import Cluster
from infra.configuration import LABEL_STUDIO_PORT, LAKEFS_PORT
from infra.custom import GATEWAY_API, Place
from infra.naming import Workload

LOAD_BALANCER_RANGES = ("35.191.0.0/16", "130.211.0.0/22")
"""Where Google's load balancers, and their health checks, come from."""
PASSES_IAP = "roles/iap.httpsResourceAccessor"
_GATEWAY = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A server behind the load balancer.

    Attributes:
        workload: also the Service's name.
        health_path: what answers 200 without credentials.
        timeout_s: of the longest request, after which the server itself gives up.
    """

    workload: Workload
    port: int
    health_path: str
    timeout_s: int


BACKENDS = (
    # Label Studio itself ends a request after 300 s; only large exports take so long.
    Backend(
        workload=Workload.LABEL_STUDIO,
        port=LABEL_STUDIO_PORT,
        # Ours (k8s/base/label-studio/serve.py): whether the database answers, too.
        health_path="/ready",
        timeout_s=330,
    ),
    Backend(workload=Workload.LAKEFS, port=LAKEFS_PORT, health_path="/_health", timeout_s=300),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureArgs:
    """Where the public address is, and for whom.

    Attributes:
        resource_name: of what has a name in the project.
        domain: Label Studio's; lakeFS's is `lakefs.` and it.
        dns_zone: Cloud DNS zone of this project; "" where somebody sets the records by hand.
        iap_members: who may pass Identity-Aware Proxy; empty for no such proxy.
        after: what must stand before, at least the workloads' Services.
    """

    project: str
    resource_name: str
    domain: str
    dns_zone: str
    iap_members: Sequence[str]
    labels: Mapping[str, str]
    cluster: Cluster
    namespace: str
    after: Sequence[pulumi.Resource]


class Exposure(pulumi.ComponentResource):
    """The load balancer with all that belongs to it.

    Attributes:
        address: its one public address.
        by_hand: DNS records that somebody has to set; empty where a zone gets them.
    """

    address: pulumi.Output[str]
    by_hand: Sequence[Record]

    def __init__(
        self, name: str, args: ExposureArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the address, the certificate, the Gateway, its routes and policies."""
        super().__init__("labeling-ops:infra:Exposure", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        address = gcp.compute.GlobalAddress(
            name,
            gcp.compute.GlobalAddressArgs(name=args.resource_name, address_type="EXTERNAL"),
            opts=self._child,
        )
        hosts = hosts_of(args.domain)
        certificate = Certificate(
            name,
            CertificateArgs(
                resource_name=args.resource_name,
                domains={str(workload): host for workload, host in hosts.items()},
                address=address.address,
                dns_zone=args.dns_zone,
                labels=args.labels,
            ),
            opts=self._child,
        )
        self.address = address.address
        self.by_hand = certificate.by_hand
        place = Place(
            parent=self, cluster=args.cluster, namespace=args.namespace, after=tuple(args.after)
        )
        self._gateway(name, place, address.name, certificate.map_name)
        for backend in BACKENDS:
            policies = _policies(place, backend, with_iap=bool(args.iap_members))
            # A route that came first would for a while lead past Identity-Aware Proxy.
            _route(place.behind(*policies), backend, hosts[backend.workload])
        _admission(place)
        for member in args.iap_members:
            self._pass(member, args.project, tuple(hosts.values()))
        self.register_outputs({"address": self.address})

    def _gateway(
        self,
        name: str,
        place: Place,
        address: pulumi.Input[str],
        certificate_map: pulumi.Input[str],
    ) -> None:
        modern = gcp.compute.SSLPolicy(
            name,
            gcp.compute.SSLPolicyArgs(profile="MODERN", min_tls_version="TLS_1_2"),
            opts=self._child,
        )
        # Deleted before the SSL policy, which Google keeps while a load balancer uses it.
        place.behind(modern).declare(
            "Gateway",
            _GATEWAY,
            {
                "gatewayClassName": "gke-l7-global-external-managed",
                "addresses": [{"type": "NamedAddress", "value": address}],
                "listeners": [
                    {"name": "http", "protocol": "HTTP", "port": 80},
                    # Its certificates come by the annotation, which GKE takes instead of a `tls`.
                    {"name": "https", "protocol": "HTTPS", "port": 443},
                ],
            },
            api_version=GATEWAY_API,
            annotations={"networking.gke.io/certmap": certificate_map},
        )
        place.declare(
            "GCPGatewayPolicy",
            _GATEWAY,
            {
                "default": {"sslPolicy": modern.name},
                "targetRef": {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": _GATEWAY,
                },
            },
        )
        redirect = {"scheme": "https", "statusCode": 301}
        place.declare(
            "HTTPRoute",
            "to-https",
            {
                "parentRefs": [{"name": _GATEWAY, "sectionName": "http"}],
                "rules": [
                    {"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]},
                ],
            },
            api_version=GATEWAY_API,
        )

    def _pass(self, member: str, project: str, hosts: tuple[str, ...]) -> None:
        """Let somebody through, to these hosts and to nothing else of the project."""
        condition = " || ".join(f'request.host == "{host}"' for host in hosts)
        gcp.iap.WebIamMember(
            member,
            gcp.iap.WebIamMemberArgs(
                project=project,
                role=PASSES_IAP,
                member=member,
                condition=gcp.iap.WebIamMemberConditionArgs(
                    title="labeling-ops", expression=condition
                ),
            ),
            opts=self._child,
        )


def hosts_of(domain: str) -> Mapping[Workload, str]:
    """The public name of each server."""
    return {Workload.LABEL_STUDIO: domain, Workload.LAKEFS: f"{Workload.LAKEFS}.{domain}"}


def _route(place: Place, backend: Backend, host: str) -> None:
    place.declare(
        "HTTPRoute",
        backend.workload,
        {
            "parentRefs": [{"name": _GATEWAY, "sectionName": "https"}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": str(backend.workload), "port": backend.port}]}],
        },
        api_version=GATEWAY_API,
    )


def _policies(
    place: Place, backend: Backend, *, with_iap: bool
) -> tuple[pulumi.Resource, pulumi.Resource]:
    target = {"group": "", "kind": "Service", "name": str(backend.workload)}
    behaviour: dict[str, Any] = {
        "timeoutSec": backend.timeout_s,
        "connectionDraining": {"drainingTimeoutSec": 60},
        "logging": {"enabled": True},
    }
    if with_iap:
        # Without a client named here IAP takes Google's own: none to make, none to leak.
        behaviour["iap"] = {"enabled": True}
    behind = place.declare(
        "GCPBackendPolicy", backend.workload, {"default": behaviour, "targetRef": target}
    )
    check = {
        "checkIntervalSec": 15,
        "timeoutSec": 5,
        "healthyThreshold": 1,
        "unhealthyThreshold": 3,
        "config": {
            "type": "HTTP",
            "httpHealthCheck": {
                "portSpecification": "USE_SERVING_PORT",
                "requestPath": backend.health_path,
            },
        },
    }
    checked = place.declare(
        "HealthCheckPolicy", backend.workload, {"default": check, "targetRef": target}
    )
    return behind, checked


def _admission(place: Place) -> None:
    """Let the load balancer in: everything else stays denied by the namespace's own policies."""
    pods = kubernetes.meta.v1.LabelSelectorRequirementArgs(
        key="app.kubernetes.io/name",
        operator="In",
        values=[str(backend.workload) for backend in BACKENDS],
    )
    kubernetes.networking.v1.NetworkPolicy(
        "from-load-balancer",
        metadata=place.metadata("from-load-balancer"),
        spec=kubernetes.networking.v1.NetworkPolicySpecArgs(
            pod_selector=kubernetes.meta.v1.LabelSelectorArgs(match_expressions=[pods]),
            policy_types=["Ingress"],
            ingress=[admit(LOAD_BALANCER_RANGES)],
        ),
        opts=place.options(),
    )


def admit(ranges: Sequence[str]) -> kubernetes.networking.v1.NetworkPolicyIngressRuleArgs:
    """A rule that lets addresses reach the container port named `http`."""
    return kubernetes.networking.v1.NetworkPolicyIngressRuleArgs(
        from_=[
            kubernetes.networking.v1.NetworkPolicyPeerArgs(
                ip_block=kubernetes.networking.v1.IPBlockArgs(cidr=each)
            )
            for each in ranges
        ],
        ports=[kubernetes.networking.v1.NetworkPolicyPortArgs(port="http", protocol="TCP")],
    )
