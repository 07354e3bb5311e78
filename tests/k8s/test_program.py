"""The Pulumi program's Kubernetes half, really applied: real engine, real API server."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.infra.api_server import ApiServer
from tests.infra.engine import Project, project
from tests.infra.states import BY_HAND
from tests.k8s.cluster import Cluster
from tests.laws import note

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

_NAMESPACE = "labeling-ops"


@pytest.fixture
def server(cluster: Cluster) -> Generator[ApiServer]:
    """The cluster's objects; the namespace is gone again after."""
    yield ApiServer(cluster=cluster)
    cluster.kubectl("delete", "namespace", _NAMESPACE, "--ignore-not-found", "--wait=true")


def test_the_program_brings_the_servers_up(server: ApiServer, tmp_path: Path) -> None:
    with project(tmp_path, stack="dev", objects=server) as stack:
        stack.configure(BY_HAND)
        stack.pulumi("up", "--yes", "--skip-preview")
        assert not server.warnings, "PodSecurity and deprecations"
        for workload in ("deployment/lakefs", "deployment/label-studio", "statefulset/postgres"):
            server.cluster.kubectl(
                "--namespace", _NAMESPACE, "rollout", "status", workload, "--timeout=120s"
            )
        account = server.cluster.kubectl(
            "--namespace", _NAMESPACE, "get", "serviceaccount", "lakefs", "--output=yaml"
        ).stdout
        assert "iam.gke.io/gcp-service-account: lakefs-dev@" in account

        stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
        made = [call for call in stack.journal.of("create") if call.type.startswith("kubernetes:")]
        stack.pulumi("destroy", "--yes", "--skip-preview")
        gone = server.cluster.kubectl("get", "namespace", _NAMESPACE, check=False)
        phase = "Terminating" in gone.stdout or gone.returncode != 0
        assert phase, "a teardown takes the namespace with it"
    note("pulumi engine", f"{len(made)} objects taken strictly by a real API server, pods Ready")


def test_a_field_kubernetes_does_not_know_fails_the_update(
    server: ApiServer, tmp_path: Path
) -> None:
    with project(tmp_path, stack="dev", objects=server) as stack:
        stack.configure(BY_HAND)
        _misspell(stack)
        said = stack.pulumi("up", "--yes", "--skip-preview", code=None)
    assert said.returncode != 0
    assert "maxUnavailible" in said.said


def _misspell(stack: Project) -> None:
    budget = stack.folder / "k8s" / "base" / "lakefs" / "service.yaml"
    text = budget.read_text()
    assert text.count("maxUnavailable") == 1
    budget.write_text(text.replace("maxUnavailable", "maxUnavailible"))
