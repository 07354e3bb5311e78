"""Rules of others over what we declare: checkov's, for Kubernetes and for Google Cloud.

What it finds and we keep is listed with the reason; anything else fails, and so does an entry of
the list that nothing needs any more.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from infra import manifests
from tests.infra.checkov import Findings, check
from tests.infra.scenarios import SCENARIOS, recorded
from tests.infra.terraform import plan_of
from tests.laws import note

MANIFESTS: Mapping[str, str] = {
    "CKV_K8S_15": (
        "Image Pull Policy Always: a pinned version is the same image on the node as in the "
        "registry, and a registry that is down must not keep a pod from starting"
    ),
    "CKV_K8S_35": (
        "secrets as files: both servers read theirs from the environment alone (Label Studio) or "
        "by a name in it (lakeFS); no service link and no token stands beside them"
    ),
    "CKV_K8S_40": (
        "a user id above 10000: the images own their files by the ids they were built with; "
        "pods are not in the host's user namespace on GKE, and none is root"
    ),
    "CKV_K8S_43": (
        "image by digest: versions are pinned in one place, where a digest may be added; the "
        "registries that tell them were out of reach where this was written"
    ),
}

CLOUD: Mapping[str, str] = {
    "CKV2_GCP_13": (
        "log_duration: a line for every statement, of which Label Studio makes hundreds a page; "
        "Query Insights, which is on, tells the slow ones"
    ),
    "CKV2_GCP_18": (
        "a firewall of one's own: this VPC is not the default one, so nothing is let in unless a "
        "rule says so, and GKE writes the rules its nodes need"
    ),
    "CKV_GCP_6": (
        "TLS for every connection to the database: ENCRYPTED_ONLY is that; the rule takes client "
        "certificates alone, which are keys to be handed out, on a private address"
    ),
    "CKV_GCP_12": "network policies on: Dataplane V2, which both modes have here, enforces them",
    "CKV_GCP_13": "no client certificates: GKE issues none unless told to since 1.12",
    "CKV_GCP_20": (
        "authorized networks: the control plane has no address to authorize networks for; its "
        "name answers whom IAM lets in"
    ),
    "CKV_GCP_52": "log_connections: Label Studio keeps none open, so it is a line a request",
    "CKV_GCP_53": "log_disconnections: see log_connections",
    "CKV_GCP_61": (
        "flow logs and intranode visibility: the subnet logs flows; the rule means the cluster's "
        "own switch, which is always on in Autopilot and costs every packet a round in Standard"
    ),
    "CKV_GCP_62": (
        "access logs of buckets: Cloud Audit Logs tell the same of both at once, and the bucket "
        "that would hold these could be read by more people than those they are of"
    ),
    "CKV_GCP_65": (
        "roles by Google Groups: needs a Workspace domain, which not everybody has; people reach "
        "the cluster by IAM"
    ),
    "CKV_GCP_66": (
        "Binary Authorization: both servers' images are other people's, and nobody signs them; "
        "they are pinned in one place instead"
    ),
    "CKV_GCP_69": (
        "GKE's metadata server: Autopilot has no other, and refuses the setting; the pool of a "
        "standard cluster has it, which an invariant holds"
    ),
    "CKV_GCP_79": "the newest PostgreSQL: the rule knows none after 16, and this one is",
    "CKV_GCP_108": "log_hostname: a name looked up at every connection, for private addresses",
    "CKV_GCP_110": (
        "pgAudit: both databases have one user each, a program; who labeled what is in lakeFS's "
        "commits, and DDL is logged"
    ),
}


def test_manifests_break_no_rule_but_the_listed(tmp_path: Path) -> None:
    found = [_manifests(overlay, tmp_path) for overlay in ("dev", "prod")]
    _assert_accepted(found, MANIFESTS)
    note("checkov", f"{sum(each.passed_count for each in found)} rules kept by manifests")


def test_resources_break_no_rule_but_the_listed(tmp_path: Path) -> None:
    found = [_resources(scenario, tmp_path) for scenario in SCENARIOS]
    _assert_accepted(found, CLOUD)
    note("checkov", f"{sum(each.passed_count for each in found)} rules kept by cloud resources")


@pytest.mark.parametrize(
    ("setting", "rule"),
    [("publicAccessPrevention", "CKV_GCP_114"), ("uniformBucketLevelAccess", "CKV_GCP_29")],
)
def test_an_unlisted_finding_is_one(tmp_path: Path, setting: str, rule: str) -> None:
    """The plan reaches checkov in a form it understands: a setting taken out is found."""
    plan = json.dumps(plan_of(recorded("dev")))
    name = {"publicAccessPrevention": "public_access_prevention"}.get(
        setting, "uniform_bucket_level_access"
    )
    assert f'"{name}"' in plan
    file = tmp_path / "plan.json"
    file.write_text(plan.replace(f'"{name}"', '"something_else"'))
    assert rule in {each.check for each in check(file, "terraform_plan").beyond(CLOUD)}


def test_a_careless_manifest_is_found(tmp_path: Path) -> None:
    objects = [dict(each) for each in manifests.load("dev")]
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0].pop("securityContext")
    file = tmp_path / "careless.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    found = {each.check for each in check(file, "kubernetes").beyond(MANIFESTS)}
    assert {"CKV_K8S_20", "CKV_K8S_22", "CKV_K8S_37"} <= found


def _manifests(overlay: str, folder: Path) -> Findings:
    file = folder / f"{overlay}.yaml"
    file.write_text(yaml.safe_dump_all([dict(each) for each in manifests.load(overlay)]))
    return check(file, "kubernetes")


def _resources(scenario: str, folder: Path) -> Findings:
    file = folder / f"{scenario}.json"
    file.write_text(json.dumps(plan_of(recorded(scenario))))
    return check(file, "terraform_plan")


def _assert_accepted(found: list[Findings], accepted: Mapping[str, str]) -> None:
    beyond = [each for findings in found for each in findings.beyond(accepted)]
    assert not beyond
    needed = {each.check for findings in found for each in findings.failed}
    assert accepted.keys() == needed, "an entry of the list that nothing needs any more"
