"""The Gateway API's own definitions, out of its module, in a cluster."""

import json
import subprocess
from pathlib import Path

from tests.k8s.cluster import Cluster

_RECIPE = Path(__file__).parents[2] / "tools" / "gateway-api"


def install_gateway_api(cluster: Cluster) -> None:
    """Teach a cluster Gateway and HTTPRoute, the standard channel. Repeatable; some seconds."""
    said = subprocess.run(
        ["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"],
        cwd=_RECIPE,
        capture_output=True,
        text=True,
        check=True,
    )
    definitions = Path(json.loads(said.stdout)["Dir"]) / "config" / "crd" / "standard"
    # Server-side: they are too long for the note a client's apply leaves on an object.
    cluster.kubectl("apply", "--server-side", f"--filename={definitions}")
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
