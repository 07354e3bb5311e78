"""What the program declares, written as checkov reads it: the plan of a Terraform run.

Owns names alone: Pulumi's provider is made of Terraform's, so types and inputs differ in spelling
only. What is unknown before an update is written as the stand-in cloud answers it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tests.infra.answers import Wire
from tests.infra.recording import Recorded, Resource

# Terraform's names of the types, where they are not `google_<package>_<type>`.
_IRREGULAR = {
    "gcp:billing/budget:Budget": "google_billing_budget",
    "gcp:certificatemanager/certificate:Certificate": "google_certificate_manager_certificate",
    "gcp:certificatemanager/certificateMap:CertificateMap": (
        "google_certificate_manager_certificate_map"
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "google_certificate_manager_certificate_map_entry"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": (
        "google_certificate_manager_dns_authorization"
    ),
    "gcp:compute/sSLPolicy:SSLPolicy": "google_compute_ssl_policy",
    "gcp:kms/cryptoKey:CryptoKey": "google_kms_crypto_key",
    "gcp:projects/iAMMember:IAMMember": "google_project_iam_member",
    "gcp:projects/service:Service": "google_project_service",
    "gcp:projects/serviceIdentity:ServiceIdentity": "google_project_service_identity",
    "gcp:secretmanager/secret:Secret": "google_secret_manager_secret",
    "gcp:serviceaccount/account:Account": "google_service_account",
    "gcp:serviceaccount/iAMMember:IAMMember": "google_service_account_iam_member",
    "gcp:servicenetworking/connection:Connection": "google_service_networking_connection",
}
# Lists that Terraform writes as one block an entry, and so in the singular.
_SINGULAR = {
    "database_flags": "database_flags",
    "lifecycle_rules": "lifecycle_rule",
    "listeners": "listeners",
    "secondary_ip_ranges": "secondary_ip_range",
    "threshold_rules": "threshold_rules",
}
# Tables whose keys are somebody's own words.
_WORDS = {"labels", "metadata", "resourceLabels", "userLabels"}


def plan_of(recorded: Recorded) -> Mapping[str, Any]:
    """The plan of all that is declared in Google Cloud, as `terraform show -json` writes it."""
    resources = [_resource(each) for each in recorded.resources if each.type.startswith("gcp:")]
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": resources}},
        "resource_changes": [_change(each) for each in resources],
        "configuration": {
            "root_module": {"resources": [_configuration(each) for each in resources]}
        },
    }


def type_in_terraform(token: str) -> str:
    """Terraform's name of a Pulumi type: `google_storage_bucket` of `gcp:storage/bucket:Bucket`."""
    if token in _IRREGULAR:
        return _IRREGULAR[token]
    package, _, name = token.removeprefix("gcp:").partition("/")
    kind = name.partition(":")[2].replace("IAM", "Iam")
    return f"google_{package}_{_snake_case(kind)}"


def _resource(declared: Resource) -> Mapping[str, Any]:
    kind = type_in_terraform(declared.type)
    name = re.sub(r"\W", "_", declared.name)
    values: dict[str, Wire] = {}
    for key, value in declared.inputs.items():
        snake = _snake_case(key)
        values[_SINGULAR.get(snake, snake)] = _converted(key, value)
    return {
        "address": f"{kind}.{name}",
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider_name": "registry.terraform.io/hashicorp/google",
        "schema_version": 0,
        "values": values,
    }


def _change(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    named = {key: resource[key] for key in ("address", "mode", "type", "name", "provider_name")}
    change = {"actions": ["create"], "before": None, "after": resource["values"]}
    nothing: Mapping[str, Any] = {"after_unknown": {}, "before_sensitive": False}
    return {**named, "change": {**change, **nothing, "after_sensitive": {}}}


def _configuration(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    named = {key: resource[key] for key in ("address", "mode", "type", "name")}
    return {**named, "provider_config_key": "google", "expressions": {}, "schema_version": 0}


def _converted(key: str, value: Wire) -> Wire:
    """A value in Terraform's form: a table is a list of one block."""
    if isinstance(value, dict):
        table = cast("dict[str, Wire]", value)
        if key in _WORDS:
            return table
        return [_block(table)]
    if isinstance(value, list):
        parts = cast("Sequence[Wire]", value)
        return [_block(part) if isinstance(part, dict) else part for part in parts]  # pyright: ignore[reportUnknownArgumentType]
    return value


def _block(table: Mapping[str, Wire]) -> Mapping[str, Wire]:
    return {_snake_case(key): _converted(key, part) for key, part in table.items()}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
