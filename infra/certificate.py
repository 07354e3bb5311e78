"""The public names, and the certificate Google renews for them.

Owns DNS authorizations, the certificate, its map, and the records that point at the load balancer:
in a zone of this project, or as data for whoever keeps the domain. Does not own the load balancer
(infra/exposure.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

_TTL_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A DNS record that is to be.

    Attributes:
        key: short name of it.
        name: with a dot at its end.
        type: `A` or `CNAME`.
        data: its one value.
    """

    key: str
    name: pulumi.Input[str]
    type: pulumi.Input[str]
    data: pulumi.Input[str]

    def document(self) -> Mapping[str, pulumi.Input[str]]:
        """The record as a stack output shows it."""
        return {"name": self.name, "type": self.type, "data": self.data}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateArgs:
    """What the certificate is for.

    Attributes:
        resource_name: of everything here that has a name in the project.
        domains: by a short name for each.
        address: what the domains are to point at.
        dns_zone: Cloud DNS zone of this project that gets the records; "" for none.
    """

    resource_name: str
    domains: Mapping[str, str]
    address: pulumi.Input[str]
    dns_zone: str
    labels: Mapping[str, str]


class Certificate(pulumi.ComponentResource):
    """One certificate for all domains, valid once their records can be seen.

    Attributes:
        map_name: of the certificate map, for the Gateway.
        by_hand: what somebody has to set; empty where a zone gets it.
    """

    map_name: pulumi.Output[str]
    by_hand: Sequence[Record]

    def __init__(
        self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare authorizations, certificate, map and records."""
        super().__init__("labeling-ops:infra:Certificate", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        proofs = {key: self._proof(key, domain, args) for key, domain in args.domains.items()}
        certificate = gcp.certificatemanager.Certificate(
            name,
            gcp.certificatemanager.CertificateArgs(
                # No name of its own: a changed domain makes a new one before the old one goes.
                managed=gcp.certificatemanager.CertificateManagedArgs(
                    domains=list(args.domains.values()),
                    dns_authorizations=[proof.id for proof in proofs.values()],
                ),
                labels=args.labels,
            ),
            opts=self._child,
        )
        certificate_map = gcp.certificatemanager.CertificateMap(
            name,
            gcp.certificatemanager.CertificateMapArgs(name=args.resource_name, labels=args.labels),
            opts=self._child,
        )
        for key, domain in args.domains.items():
            gcp.certificatemanager.CertificateMapEntry(
                key,
                gcp.certificatemanager.CertificateMapEntryArgs(
                    map=certificate_map.name, hostname=domain, certificates=[certificate.id]
                ),
                opts=self._child,
            )
        self.map_name = certificate_map.name
        records = [record for key in args.domains for record in _records(key, args, proofs[key])]
        if args.dns_zone:
            self._set(records, args.dns_zone)
        self.by_hand = () if args.dns_zone else tuple(records)
        self.register_outputs({"mapName": self.map_name})

    def _proof(
        self, key: str, domain: str, args: CertificateArgs
    ) -> gcp.certificatemanager.DnsAuthorization:
        return gcp.certificatemanager.DnsAuthorization(
            key,
            gcp.certificatemanager.DnsAuthorizationArgs(domain=domain, labels=args.labels),
            opts=self._child,
        )

    def _set(self, records: Sequence[Record], zone: str) -> None:
        for record in records:
            gcp.dns.RecordSet(
                record.key,
                gcp.dns.RecordSetArgs(
                    managed_zone=zone,
                    name=record.name,
                    type=record.type,
                    rrdatas=[record.data],
                    ttl=_TTL_S,
                ),
                opts=self._child,
            )


def _records(
    key: str, args: CertificateArgs, proof: gcp.certificatemanager.DnsAuthorization
) -> tuple[Record, Record]:
    """The address of a domain, and what proves to Google whose it is."""
    told = proof.dns_resource_records[0]
    address = f"{args.domains[key]}."
    return (
        Record(key=f"{key}-address", name=address, type="A", data=args.address),
        Record(key=f"{key}-proof", name=told.name, type=told.type, data=told.data),
    )
