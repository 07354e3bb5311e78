"""What a stack tells, as `ops` reads it; and that the program is run as Pulumi runs it."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.outputs import SCHEMA, SecretOutputs, StackOutputs
from infra.settings import key_of
from ops.stack import outputs as read_outputs
from tests.infra.recording import ROOT, Recorded, record

AGREED = {
    *("schema", "project", "region", "clusterName", "clusterLocation", "namespace", "bucket"),
    *("storageNamespacePrefix", "imagesPrefix", "lakefsUrl", "labelStudioUrl", "webAddresses"),
    *("s3Endpoint", "lakefsServiceAccount", "labelStudioServiceAccount", "database"),
    *("databaseInstance", "labelStudioEmail", "dnsRecords", "teardown"),
    *("lakefsAccessKeyId", "lakefsSecretAccessKey", "labelStudioPassword"),
    *("labelStudioSecretKey", "kubeconfig", "rayAddress", "rayLakefsUrl", "rayToken"),
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "dev": {"stack_name": "dev"},
    "prod": {"stack_name": "prod"},
    "public": {"stack_name": "prod", "domain": "labeling.example.org"},
    "proxied": {
        "stack_name": "prod",
        "domain": "labeling.example.org",
        "iap_members": ["group:labelers@example.org"],
    },
    "open": {"stack_name": "dev", "training_access": True},
}


@pytest.fixture(scope="module", params=SETTINGS)
def stack(request: pytest.FixtureRequest) -> tuple[str, Recorded]:
    return request.param, record(**SETTINGS[request.param])


def test_a_stack_tells_what_is_agreed_and_ops_can_read_it(stack: tuple[str, Recorded]) -> None:
    name, recorded = stack
    assert recorded.outputs.keys() == AGREED
    assert recorded.outputs["schema"] == SCHEMA == read_outputs.SCHEMA
    read = read_outputs.read(recorded.outputs, name)
    assert read["project"] == recorded.outputs["project"]
    assert recorded.secret_outputs == {key_of(each.name) for each in fields(SecretOutputs)}


def test_every_output_has_a_field_and_no_field_is_forgotten() -> None:
    declared = {
        key_of(each.name) for kind in (StackOutputs, SecretOutputs) for each in fields(kind)
    }
    assert declared | {"schema"} == AGREED


def test_repositories_and_pictures_are_below_the_same_bucket(stack: tuple[str, Recorded]) -> None:
    _, recorded = stack
    bucket = recorded.outputs["bucket"]
    assert recorded.outputs["storageNamespacePrefix"] == f"gs://{bucket}/lakefs"
    assert recorded.outputs["imagesPrefix"] == f"gs://{bucket}/images"
    configuration = recorded.one("core/v1:ConfigMap", "lakefs").at("data")["lakefs.yaml"]
    prefix = yaml.safe_load(configuration)["blockstore"]["default_namespace_prefix"]
    assert prefix == recorded.outputs["storageNamespacePrefix"]


def test_programs_are_sent_to_no_address_that_lets_none_in(stack: tuple[str, Recorded]) -> None:
    name, recorded = stack
    told = [recorded.outputs[key] for key in ("labelStudioUrl", "lakefsUrl")]
    web = ["https://labeling.example.org", "https://lakefs.labeling.example.org"]
    assert told == (web if name == "public" else ["", ""])
    assert recorded.outputs["webAddresses"] == (web if name in {"public", "proxied"} else [])


def test_the_s3_endpoint_is_one_that_lakefs_knows_as_its_own(stack: tuple[str, Recorded]) -> None:
    _, recorded = stack
    is_open = recorded.config["labeling-ops:trainingAccess"] == "true"
    configuration = recorded.one("core/v1:ConfigMap", "lakefs").at("data")["lakefs.yaml"]
    names = yaml.safe_load(configuration)["gateways"]["s3"].get("domain_name", [])
    endpoint = recorded.outputs["s3Endpoint"]
    assert endpoint == (f"http://{names[0]}" if is_open else "")
    # A name of the gateway's serves no API: lakeFS's public one must not be among them.
    assert not any(each.startswith("lakefs.") for each in names)


def test_the_database_is_told_of_as_it_is(stack: tuple[str, Recorded]) -> None:
    _, recorded = stack
    instances = recorded.of("sql/databaseInstance:DatabaseInstance")
    told = (recorded.outputs["database"], bool(recorded.outputs["databaseInstance"]))
    assert told == (("cloudsql", True) if instances else ("in-cluster", False))


def test_the_program_finds_its_modules_where_pulumi_runs_it(tmp_path: Path) -> None:
    """Pulumi runs the folder, with the folder and not the repository on the path."""
    code = (
        "import runpy, sys; "
        f"sys.path.insert(0, {str(ROOT / 'infra')!r}); "
        "names = runpy.run_path(sys.path[0], run_name='elsewhere'); "
        "print(names['main'].__name__, 'infra' in sys.modules, 'naming' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == ["main", "True", "False"]


def test_importing_the_program_leaves_the_path_alone() -> None:
    before = [*sys.path]
    from infra.__main__ import main

    assert callable(main)
    assert sys.path == before
