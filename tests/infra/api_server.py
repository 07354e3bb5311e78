"""Objects on a real Kubernetes API server, for the stand-in provider.

Owns server-side apply as the Pulumi provider does it, with strict field validation: a field that
Kubernetes does not know is an error and not a warning.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.infra.answers import Wire
from tests.infra.providers import RefusedError
from tests.k8s.cluster import Cluster

_APPLY = "application/apply-patch+yaml"
_HOW = "fieldManager=pulumi&fieldValidation=Strict&force=true"


@dataclass(slots=True, kw_only=True)
class ApiServer:
    """The objects of one cluster.

    Attributes:
        warnings: what the server said of objects it took.
    """

    cluster: Cluster
    warnings: list[str] = field(default_factory=list[str])
    kinds: dict[str, Mapping[str, Wire]] = field(default_factory=dict[str, Mapping[str, Wire]])

    def apply(self, manifest: Mapping[str, Wire]) -> Mapping[str, Wire]:
        """Apply an object, and give it as it is then.

        Raises:
            RefusedError: the server does not take it.
        """
        return self._ask("PATCH", f"{self._path(manifest)}?{_HOW}", manifest)

    def delete(self, manifest: Mapping[str, Wire]) -> None:
        """Delete an object; a no-op if it is gone."""
        self._ask("DELETE", self._path(manifest), None)

    def _path(self, manifest: Mapping[str, Wire]) -> str:
        version = manifest["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if root not in self.kinds:
            listed = self._ask("GET", root, None)["resources"]
            self.kinds[root] = {each["kind"]: each for each in listed if "/" not in each["name"]}
        kind = self.kinds[root][manifest["kind"]]
        metadata = manifest["metadata"]
        inside = f"/namespaces/{metadata['namespace']}" if kind["namespaced"] else ""
        return f"{root}{inside}/{kind['name']}/{metadata['name']}"

    def _ask(self, method: str, path: str, body: Mapping[str, Wire] | None) -> Mapping[str, Wire]:
        request = Request(  # noqa: S310  the cluster's own address
            f"{self.cluster.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.cluster.token}",
                **({} if body is None else {"Content-Type": _APPLY}),
            },
        )
        trusted = ssl.create_default_context(cafile=str(self.cluster.authority))
        try:
            with urlopen(request, context=trusted) as reply:  # noqa: S310  see above
                self.warnings += reply.headers.get_all("Warning") or []
                return json.load(reply)
        except HTTPError as error:
            if method == "DELETE" and error.code == HTTPStatus.NOT_FOUND:
                return {}
            raise RefusedError(f"{path}: {json.load(error)['message']}") from error
