"""What `ops` takes from a stack's outputs, checked against the contract `labeling-ops.stack/1`.

Owns the names of the outputs and what is wrong with them. Does not run Pulumi (pulumi.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ops.errors import ConfigurationError

SCHEMA = "labeling-ops.stack/1"
UNCHANGED = "the settings are as they were"

_NAMES = (
    "project",
    "clusterName",
    "clusterLocation",
    "namespace",
    "bucket",
    "storageNamespacePrefix",
    "labelStudioEmail",
    "lakefsAccessKeyId",
    "lakefsSecretAccessKey",
    "labelStudioSecretKey",
)
_ADDRESSES = ("lakefsUrl", "labelStudioUrl")
"""Empty where the stack has no public address."""
_RAY = ("rayAddress", "rayToken", "rayLakefsUrl")
"""Empty where the stack has no Ray cluster, and absent where it was brought up before there was."""
_KUBECONFIG = "kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """A stack's outputs.

    Attributes:
        texts: outputs by their name; only those ops needs.
        web_addresses: where people's browsers reach the servers; none without a domain.
        kubeconfig: the cluster's, as text that kubectl reads.
    """

    texts: Mapping[str, str]
    kubeconfig: str
    web_addresses: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        """An output of the contract."""
        return self.texts[name]


def read(document: Mapping[str, object], stack: str) -> Outputs:
    """A stack's outputs, from what Pulumi printed of them.

    Raises:
        ConfigurationError: there are none, or not those of the contract.
    """
    if not document:
        raise ConfigurationError(
            "stack-empty",
            f"stack {stack} has no outputs: it was never brought up, or taken down",
            subject=stack,
            unchanged=UNCHANGED,
            hint=f"pulumi up --stack {stack}",
        )
    schema = document.get("schema")
    if schema != SCHEMA:
        raise ConfigurationError(
            "stack-schema",
            f"the outputs of stack {stack} are of schema {schema!r}; this ops reads {SCHEMA!r}",
            subject=stack,
            unchanged=UNCHANGED,
            hint="let infra/ and ops be of one version of labeling-ops, then:\n"
            f"pulumi up --stack {stack}",
        )
    return Outputs(
        texts=_texts(document, stack),
        kubeconfig=_kubeconfig(document, stack),
        web_addresses=_web_addresses(document.get("webAddresses")),
    )


def _texts(document: Mapping[str, object], stack: str) -> Mapping[str, str]:
    wrong = [name for name in _NAMES if not _is_text(document.get(name))]
    # Present but empty is a value here.
    wrong += [name for name in _ADDRESSES if not isinstance(document.get(name), str)]
    if wrong:
        _refuse(stack, wrong)
    said = {name: str(document[name]) for name in (*_NAMES, *_ADDRESSES)}
    return said | {name: str(document.get(name, "")) for name in _RAY}


def _web_addresses(value: object) -> tuple[str, ...]:
    """For show alone, so nothing depends on it."""
    return tuple(map(str, cast("list[object]", value))) if isinstance(value, list) else ()


def _kubeconfig(document: Mapping[str, object], stack: str) -> str:
    value = document.get(_KUBECONFIG)
    if isinstance(value, dict):
        # kubectl reads YAML, and JSON is that, too.
        return json.dumps(value)
    if not _is_text(value):
        _refuse(stack, [_KUBECONFIG])
    return str(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _refuse(stack: str, wrong: list[str]) -> None:
    raise ConfigurationError(
        "stack-outputs",
        f"stack {stack} lacks outputs that ops needs: {', '.join(wrong)}",
        subject=stack,
        unchanged=UNCHANGED,
        hint=f"an update may have stopped half-way; finish it: pulumi up --stack {stack}",
    )
