"""The kubeconfig of a GKE cluster, which holds no credential.

Owns its form alone; infra/cluster.py says for which cluster.
"""

import json


def kubeconfig(name: str, endpoint: str) -> str:
    """A kubeconfig (JSON, which is YAML) that asks gke-gcloud-auth-plugin for a short-lived token.

    It names no certificate authority: the DNS endpoint has a certificate that every machine trusts.
    """
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "gcloud components install gke-gcloud-auth-plugin",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(config, indent=2)
