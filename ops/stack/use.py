"""From a stack's outputs to what `ops` remembers of it.

Owns which output becomes which setting, and the addresses of a stack that has no public one. Asks
no server: whether the token is accepted is the caller's to find out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ops.local.home import Service
from ops.local.loopback import HOST
from ops.stack.file import StackFile
from ops.stack.outputs import Outputs
from ops.stack.token import is_good, make_token

FORWARDED_PORTS: Mapping[Service, int] = {Service.LABEL_STUDIO: 18080, Service.LAKEFS: 18000}
"""Fixed, so that addresses in notebooks, bookmarks and the bucket's CORS rules stay true."""


def forwarded_url(service: Service) -> str:
    """Where a server of a stack without public address is reached, through kubectl."""
    return f"http://{HOST}:{FORWARDED_PORTS[service]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be remembered.

    Attributes:
        stack: its name.
        is_forwarded: take the forwarded addresses though there are public ones.
    """

    stack: str
    is_forwarded: bool = False


def remember(
    wish: Wish, outputs: Outputs, known: StackFile | None, *, now: datetime, token_id: str
) -> StackFile:
    """What is remembered of a stack. A token that is good still is kept.

    Args:
        wish: which stack, and how to reach it.
        outputs: the stack's.
        known: what was remembered before, of this or another stack.
        now: the time.
        token_id: what tells a token made now from any other.
    """
    public = {
        Service.LAKEFS: outputs["lakefsUrl"],
        Service.LABEL_STUDIO: outputs["labelStudioUrl"],
    }
    is_forwarded = wish.is_forwarded or not all(public.values())
    urls = {s: forwarded_url(s) if is_forwarded else url for s, url in public.items()}
    token = known.settings.get("label_studio.token", "") if known else ""
    if not is_good(token, outputs["labelStudioSecretKey"], now=now):
        token = make_token(outputs["labelStudioSecretKey"], now=now, token_id=token_id)
    return StackFile(
        name=wish.stack,
        settings={
            "bucket": outputs["bucket"],
            "storage_namespace": f"{outputs['storageNamespacePrefix'].rstrip('/')}/{{repository}}",
            "lakefs.url": urls[Service.LAKEFS],
            "lakefs.access_key_id": outputs["lakefsAccessKeyId"],
            "lakefs.secret_access_key": outputs["lakefsSecretAccessKey"],
            "label_studio.url": urls[Service.LABEL_STUDIO],
            "label_studio.token": token,
            **_ray(outputs),
        },
        facts={
            "project": outputs["project"],
            "cluster": outputs["clusterName"],
            "cluster_location": outputs["clusterLocation"],
            "namespace": outputs["namespace"],
            "label_studio_email": outputs["labelStudioEmail"],
            "is_forwarded": "true" if is_forwarded else "false",
            "web_addresses": " ".join(outputs.web_addresses),
            "kubeconfig": outputs.kubeconfig,
        },
    )


def _ray(outputs: Outputs) -> Mapping[str, str]:
    """How its Ray cluster is reached, where it has one."""
    if not outputs["rayAddress"]:
        return {}
    return {
        "ray.address": outputs["rayAddress"],
        "ray.token": outputs["rayToken"],
        "ray.lakefs_url": outputs["rayLakefsUrl"],
    }


def with_new_token(
    found: StackFile, outputs: Outputs, *, now: datetime, token_id: str
) -> StackFile:
    """The same with a token made anew: the one there was revoked."""
    token = make_token(outputs["labelStudioSecretKey"], now=now, token_id=token_id)
    settings = {**found.settings, "label_studio.token": token}
    return StackFile(name=found.name, settings=settings, facts=found.facts)
