"""Every name this program gives to something outside it, with its inverse.

Owns physical names in Google Cloud and the Kubernetes names at which infra/ and k8s/ meet. A name
that Google would refuse minutes into an update is refused here before anything is declared. Does
not name the Cloud SQL instance nor the key ring: Google keeps the first reserved for a week after
deletion and the second for ever, so Pulumi gives those a new ending each time.

Two stacks may share a project: every name ends in the stack, and no two stacks and purposes come
to the same name, because a purpose is one word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pulumi

NAMESPACE = "labeling-ops"
PODS_RANGE = "pods"
SERVICES_RANGE = "services"
LAKEFS_PREFIX = "lakefs/"
"""Where lakeFS keeps its namespaces in the data bucket. Only lakeFS may delete below it."""
IMAGES_PREFIX = "images/"
"""Where people put pictures of their own in the data bucket."""

LONGEST_STACK = 15
"""What is left of an account id's 30 characters by `labeling-nodes-`."""
LONGEST_LABEL = 63
LONGEST_HOST = 253

_STACK = re.compile(r"[a-z](-?[a-z0-9])*", re.ASCII)
_PROJECT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", re.ASCII)
_ACCOUNT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9]([-a-z0-9]{1,61})[a-z0-9]", re.ASCII)
_PURPOSE = re.compile(r"[a-z][a-z0-9]{0,19}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_RESOURCE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_STEM = "labeling"
_SPOKEN_FOR = ("goog", "google", "g00gle")
_ADDRESS = re.compile(r"[^@\s:,<>]+@([^@\s]+)", re.ASCII)
_EMAIL = re.compile(r"([^@]+)@([^@]+)\.iam\.gserviceaccount\.com", re.ASCII)


class Workload(StrEnum):
    """What runs in the cluster with an account of its own, by its Kubernetes name."""

    LAKEFS = "lakefs"
    LABEL_STUDIO = "label-studio"


class NameRefusedError(pulumi.RunError):
    """A name that Google Cloud or Kubernetes would refuse. Pulumi prints it without a stack trace.

    Attributes:
        name: the name.
        reason: why it cannot be.
        remedy: what to do.
    """

    def __init__(self, name: str, *, reason: str, remedy: str) -> None:
        """Keep the parts, and write them out."""
        super().__init__(f"{name!r} cannot be a name: {reason}; {remedy}")
        self.name = name
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one stack in one project.

    Raises:
        NameRefusedError: the project id is no project id, or the stack's name does not fit into
            the names built of it.
    """

    project: str
    stack: str

    def __post_init__(self) -> None:
        """Check what all names are built of.

        Raises:
            NameRefusedError: see the class.
        """
        if reason := project_problem(self.project):
            remedy = "set gcp:project to the project's id, not to its number or title"
            raise NameRefusedError(self.project, reason=reason, remedy=remedy)
        if reason := stack_problem(self.stack):
            remedy = f"name the stack by up to {LONGEST_STACK} of a-z, 0-9 and single hyphens"
            raise NameRefusedError(self.stack, reason=reason, remedy=remedy)

    @property
    def data_bucket(self) -> str:
        """The bucket of lakeFS's namespaces and people's pictures."""
        return self._bucket("data")

    @property
    def media_bucket(self) -> str:
        """The bucket of Label Studio's own uploads and exports."""
        return self._bucket("media")

    @property
    def network(self) -> str:
        """The VPC."""
        return self.of("network")

    @property
    def subnetwork(self) -> str:
        """Its one subnet."""
        return self.of("subnetwork")

    @property
    def cluster(self) -> str:
        """The GKE cluster."""
        return self.of("cluster")

    @property
    def node_account(self) -> str:
        """Account id of the nodes."""
        return self.of("nodes")

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of everything that takes some: for bills, and to find what belongs together."""
        return {"app": NAMESPACE, "stack": self.stack}

    def account(self, workload: Workload) -> str:
        """Account id of a workload."""
        return f"{workload}-{self.stack}"

    def email(self, account_id: str) -> str:
        """The address of a service account of this project."""
        return f"{account_id}@{self.project}.iam.gserviceaccount.com"

    def of(self, purpose: str) -> str:
        """The name of a regional or global resource: `labeling-<purpose>-<stack>`.

        Raises:
            NameRefusedError: `purpose` is not one word of at most 20 of a-z and 0-9.
        """
        if not _PURPOSE.fullmatch(purpose):
            reason = "a purpose is one word of at most 20 of a-z and 0-9, a letter first"
            remedy = "a hyphen would let two stacks come to one name"
            raise NameRefusedError(purpose, reason=reason, remedy=remedy)
        return f"{_STEM}-{purpose}-{self.stack}"

    def _bucket(self, purpose: str) -> str:
        name = f"{self.project}-{_STEM}-{purpose}-{self.stack}"
        if reason := bucket_problem(name):
            remedy = "take a shorter name for the stack, or another project"
            raise NameRefusedError(name, reason=reason, remedy=remedy)
        return name


def parse_resource(name: str) -> tuple[str, str] | None:
    """The inverse of Names.of: purpose and stack; None for a name it never gives."""
    stem, _, rest = name.partition("-")
    purpose, _, stack = rest.partition("-")
    is_ours = stem == _STEM and _PURPOSE.fullmatch(purpose) and not stack_problem(stack)
    return (purpose, stack) if is_ours else None


def parse_bucket(name: str) -> tuple[str, str, str] | None:
    """The project, purpose and stack of a bucket; None for a name this program never gives."""
    project, _, rest = name.rpartition(f"-{_STEM}-")
    purpose, _, stack = rest.partition("-")
    is_ours = purpose in {"data", "media"} and not stack_problem(stack)
    return (project, purpose, stack) if is_ours and not project_problem(project) else None


def parse_account(account_id: str) -> tuple[Workload, str] | None:
    """The workload and stack of an account id; None for a name this program never gives."""
    for workload in Workload:
        stack = account_id.removeprefix(f"{workload}-")
        if stack != account_id and not stack_problem(stack):
            return workload, stack
    return None


def parse_email(email: str) -> tuple[str, str] | None:
    """The inverse of Names.email: account id and project; None where it is no such address."""
    match = _EMAIL.fullmatch(email)
    if not match or not _ACCOUNT.fullmatch(match[1]) or project_problem(match[2]):
        return None
    return match[1], match[2]


def stack_problem(stack: str) -> str | None:
    """Why a stack's name cannot be part of the names above, or None if it can."""
    if not _STACK.fullmatch(stack):
        return "a stack's name is a-z, 0-9 and single hyphens, a letter first"
    if len(stack) > LONGEST_STACK:
        return f"it is {len(stack)} characters long, and service accounts leave {LONGEST_STACK}"
    if _STEM in stack:
        return f"{_STEM!r} in it would let two projects come to one bucket name"
    return None


def project_problem(project: str) -> str | None:
    """Why a text is no project id, or None if it is one."""
    if ":" in project:
        return "projects of a domain have no Workload Identity pool of the usual name"
    if not _PROJECT.fullmatch(project):
        return "a project id is 6 to 30 of a-z, 0-9 and -, a letter first, no - last"
    return None


def bucket_problem(name: str) -> str | None:
    """Why Cloud Storage would refuse a bucket's name, or None if it would not.

    Names with dots are refused, too: they are domains somebody must prove to own, and their
    certificate does not match in virtual-host style.
    """
    if not _BUCKET.fullmatch(name):
        return "a bucket's name is 3 to 63 of a-z, 0-9 and -, neither first nor last a hyphen"
    if name.startswith(_SPOKEN_FOR[0]) or any(word in name for word in _SPOKEN_FOR[1:]):
        return "Google keeps names with its own in them to itself"
    return None


def label_problem(name: str) -> str | None:
    """Why Kubernetes would refuse a DNS label, or None if it would not."""
    if _LABEL.fullmatch(name):
        return None
    return f"a label is 1 to {LONGEST_LABEL} of a-z, 0-9 and -, neither first nor last a hyphen"


def resource_problem(name: str) -> str | None:
    """Why Compute Engine would refuse a resource's name, or None if it would not."""
    if _RESOURCE.fullmatch(name):
        return None
    return f"a name is 1 to {LONGEST_LABEL} of a-z, 0-9 and -, a letter first, no - last"


def host_problem(host: str) -> str | None:
    """Why a text is no public domain, or None if it could be one; nothing is looked up."""
    if len(host) > LONGEST_HOST:
        return f"it is longer than {LONGEST_HOST} characters"
    labels = host.split(".")
    if len(labels) < 2 or any(label_problem(each) for each in labels):  # noqa: PLR2004 - a dot
        return "a domain is labels of a-z, 0-9 and - with dots between, as labeling.example.org"
    return "its last part is a number" if labels[-1].isdecimal() else None


def is_address(text: str) -> bool:
    """Whether a text is written as an e-mail address is; nobody is asked whether it exists."""
    match = _ADDRESS.fullmatch(text)
    return match is not None and host_problem(match[1].lower()) is None
