"""The Google Cloud APIs that everything else calls.

Owns which APIs a stack needs, and enabling them. Never disables one: the project's other tenants
may use it, and a disabled API takes the resources it served with it. Does not enable the two that
enabling itself needs in a project where nobody ever called them (docs/tutorial says how):
`gcloud services enable serviceusage.googleapis.com cloudresourcemanager.googleapis.com`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.settings import Settings

ALWAYS = (
    "artifactregistry",
    "cloudresourcemanager",
    "compute",
    "container",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "secretmanager",
    "servicenetworking",
    "serviceusage",
    "sqladmin",
    "storage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesArgs:
    """Which APIs to enable.

    Attributes:
        apis: short names, as `container` for container.googleapis.com.
    """

    project: str
    apis: Sequence[str]


class Services(pulumi.ComponentResource):
    """The enabled APIs.

    Attributes:
        enabled: what each other component is to wait for. Google says that an API is enabled some
            seconds before it answers; the provider retries.
    """

    enabled: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare one resource an API."""
        super().__init__("labeling-ops:infra:Services", name, None, opts)
        self.enabled = tuple(
            gcp.projects.Service(
                f"{name}-{api}",
                gcp.projects.ServiceArgs(
                    project=args.project,
                    service=f"{api}.googleapis.com",
                    disable_on_destroy=False,
                    disable_dependent_services=False,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in args.apis
        )
        self.register_outputs({})


def needed(settings: Settings) -> tuple[str, ...]:
    """The APIs a stack of these settings calls, in alphabetical order."""
    chosen = {
        "billingbudgets": settings.monthly_budget > 0,
        "certificatemanager": bool(settings.domain),
        "cloudkms": settings.customer_managed_keys,
        # The names of training jobs are in a private zone.
        "dns": bool(settings.dns_zone) or settings.training_access,
        "iap": bool(settings.iap_members),
    }
    return tuple(sorted((*ALWAYS, *(api for api, is_needed in chosen.items() if is_needed))))
