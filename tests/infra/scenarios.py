"""The settings the program is tried with: enough that every branch of it is declared somewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from tests.infra.recording import Recorded, record


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A stack, and settings changed from those of its file."""

    stack_name: str
    settings: Mapping[str, object] = field(default_factory=dict[str, object])


SCENARIOS: Mapping[str, Scenario] = {
    "dev": Scenario(stack_name="dev"),
    "prod": Scenario(stack_name="prod"),
    "public": Scenario(
        stack_name="prod",
        settings={
            "domain": "labeling.example.org",
            "dns_zone": "example",
            "iap_members": ["group:labelers@example.org"],
            "customer_managed_keys": True,
            "uptime_check": True,
            "alert_email": "oncall@example.org",
            "billing_account": "012345-6789AB-CDEF01",
            "monthly_budget": 500,
        },
    ),
    "standard": Scenario(
        stack_name="dev",
        settings={
            "cluster_mode": "standard",
            "node_machine_type": "e2-standard-8",
            "node_count_max": 5,
            "domain": "labeling.example.org",
            "import_buckets": ["pictures-of-somebody"],
            "training_access": True,
        },
    ),
    "ray": Scenario(
        stack_name="dev",
        settings={
            "cluster_mode": "standard",
            "ray_workers": 4,
            "ray_machine_type": "e2-standard-16",
        },
    ),
    "ray-autopilot": Scenario(stack_name="prod", settings={"ray_workers": 2}),
}


def declared(scenario: str, *, preview: bool = False) -> Recorded:
    """What the program declares in a scenario."""
    chosen = SCENARIOS[scenario]
    return record(stack_name=chosen.stack_name, preview=preview, **chosen.settings)


@cache
def recorded(scenario: str) -> Recorded:
    """The same, recorded once: the program of the checkout does not change meanwhile."""
    return declared(scenario)
