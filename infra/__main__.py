"""The Pulumi program: which components a stack is made of, and how they hang together.

Composition only. A setting decides here which components there are; what each is made of, and why,
is in its own module:

    settings   config (reads), rules (judge), naming (every name), moved (earlier places)
    ground     services, network, encryption, storage, identity
    servers    cluster, ray, database, credentials, configuration, workloads (of k8s/, by manifests)
    ways in    exposure with certificate (public), training (inside the VPC)
    people     monitoring, outputs

Nothing branches on a value that is known only after an update.
"""

import sys
from pathlib import Path

if not __package__:
    # Pulumi runs this folder, and puts it on the path: `infra` is no package then, and any module
    # here may shadow one that somebody else means.
    _HERE = Path(__file__).resolve().parent
    sys.path[:] = [str(_HERE.parent), *(each for each in sys.path if Path(each) != _HERE)]

import pulumi

from infra import moved, ray, training
from infra.config import Settings, load
from infra.exposure import BACKENDS, Exposure, ExposureArgs, hosts_of
from infra.ground import Ground, prepared
from infra.monitoring import SpendingAlert, SpendingAlertArgs, Uptime, UptimeArgs
from infra.naming import IMAGES_PREFIX, LAKEFS_PREFIX, NAMESPACE, Names, Workload
from infra.outputs import (
    TEARDOWN,
    TEARDOWN_UNPROTECTED,
    SecretOutputs,
    StackOutputs,
    export,
)
from infra.servers import Servers, started


def main() -> None:
    """Declare the stack whose settings Pulumi hands over."""
    pulumi.runtime.register_stack_transformation(moved.recognizing())
    settings = load()
    names = Names(settings.project, settings.stack)
    ground = prepared(settings, names)
    servers = started(settings, names, ground)
    exposure = _exposure(settings, names, ground, servers) if settings.domain else None
    if settings.training_access:
        _training_access(settings, names, ground, servers)
    if settings.monthly_budget:
        _budget(settings, names, ground)
    if settings.uptime_check:
        _uptime(settings, names, ground)
    _export(settings, ground, servers, exposure)


def _exposure(settings: Settings, names: Names, ground: Ground, servers: Servers) -> Exposure:
    args = ExposureArgs(
        project=settings.project,
        resource_name=names.of("public"),
        domain=settings.domain,
        dns_zone=settings.dns_zone,
        iap_members=settings.iap_members,
        labels=names.labels,
        cluster=servers.cluster,
        namespace=NAMESPACE,
        after=servers.pods,
    )
    return Exposure("public", args, ground.apis)


def _training_access(settings: Settings, names: Names, ground: Ground, servers: Servers) -> None:
    args = training.TrainingAccessArgs(
        region=settings.region,
        resource_name=names.of("training"),
        network=ground.network.network_id,
        subnetwork=ground.network.subnetwork_self_link,
        labels=names.labels,
        cluster=servers.cluster,
        namespace=NAMESPACE,
        after=servers.pods,
    )
    training.TrainingAccess("training", args, ground.apis)


def _budget(settings: Settings, names: Names, ground: Ground) -> None:
    args = SpendingAlertArgs(
        project=settings.project,
        billing_account=settings.billing_account,
        amount=settings.monthly_budget,
        display_name=names.of("budget"),
    )
    SpendingAlert("budget", args, ground.apis)


def _uptime(settings: Settings, names: Names, ground: Ground) -> None:
    hosts = hosts_of(settings.domain)
    args = UptimeArgs(
        project=settings.project,
        paths={hosts[backend.workload]: backend.health_path for backend in BACKENDS},
        behind_iap=bool(settings.iap_members),
        alert_email=settings.alert_email,
        labels=names.labels,
    )
    Uptime("uptime", args, ground.apis)


def _export(
    settings: Settings, ground: Ground, servers: Servers, exposure: Exposure | None
) -> None:
    addresses = {
        workload: f"https://{host}" for workload, host in hosts_of(settings.domain).items()
    }
    web = addresses if settings.domain else {}
    # Identity-Aware Proxy lets no program in.
    programs = {} if settings.iap_members else web
    public = StackOutputs(
        project=settings.project,
        region=settings.region,
        cluster_name=servers.cluster.name,
        cluster_location=servers.cluster.location,
        namespace=NAMESPACE,
        bucket=ground.buckets.data_name,
        storage_namespace_prefix=ground.address(LAKEFS_PREFIX),
        images_prefix=ground.address(IMAGES_PREFIX),
        lakefs_url=programs.get(Workload.LAKEFS, ""),
        label_studio_url=programs.get(Workload.LABEL_STUDIO, ""),
        web_addresses=list(web.values()),
        s3_endpoint=training.S3_ENDPOINT if settings.training_access else "",
        lakefs_service_account=ground.lakefs.email,
        label_studio_service_account=ground.label_studio.email,
        database=settings.database,
        database_instance="" if servers.cloud_sql is None else servers.cloud_sql.instance_name,
        label_studio_email=settings.admin_email,
        dns_records=[] if exposure is None else [each.document() for each in exposure.by_hand],
        ray_address=ray.ADDRESS if settings.ray_workers else "",
        ray_lakefs_url=ray.LAKEFS_URL if settings.ray_workers else "",
        teardown=TEARDOWN if settings.protect else TEARDOWN_UNPROTECTED,
    )
    secret = SecretOutputs(
        lakefs_access_key_id=servers.credentials.lakefs_access_key_id,
        lakefs_secret_access_key=servers.credentials.lakefs_secret_access_key,
        label_studio_password=servers.credentials.label_studio_password,
        label_studio_secret_key=servers.credentials.label_studio_secret_key,
        kubeconfig=servers.cluster.kubeconfig,
        ray_token=servers.credentials.ray_token or "",
    )
    export(public, secret)


if __name__ == "__main__":
    main()
