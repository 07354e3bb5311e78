"""Broken lines of the Ray cluster."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

MUTATIONS: Sequence[Mutation] = (
    *in_file(
        "infra/__main__.py",
        (
            'ray_address=ray.ADDRESS if settings.ray_workers else "",',
            "ray_address=ray.ADDRESS,",
            "there_is_a_ray_where_it_is_asked_for",
        ),
    ),
    *in_file(
        "infra/servers.py",
        (
            "with_ray=settings.ray_workers > 0",
            "with_ray=True",
            "there_is_a_ray_where_it_is_asked_for",
        ),
    ),
    *in_file(
        "infra/servers.py",
        (
            'else "prod") + ("-ray" if settings.ray_workers else "")',
            'else "prod")',
            "refused",
        ),
        (
            "    return {ray.WORKER: ray.placement(has_pool=has_pool, is_spot=settings.ray_spot)}",
            "    return {ray.HEAD: ray.placement(has_pool=has_pool, is_spot=settings.ray_spot)}",
            "ray_s_workers_are_on_nodes_of_their_own",
        ),
        scenario="ray",
    ),
    *in_file(
        "infra/ray.py",
        (
            '    return {"nodeSelector": {_SPOT: "true"}} if is_spot else {}',
            "    return {}",
            "ray_s_workers_are_on_nodes_of_their_own",
        ),
        scenario="ray-autopilot",
    ),
    *in_file(
        "infra/ray.py",
        (
            "only=Only(key=_POOL, value=_RAY, is_spot=args.is_spot),",
            "",
            "ray_s_workers_are_on_nodes_of_their_own",
        ),
        (
            "max_node_count=args.count_max",
            "max_node_count=1000",
            "ray_s_workers_are_on_nodes_of_their_own",
        ),
        scenario="ray",
    ),
    *in_file(
        "k8s/components/ray/head.yaml",
        (
            "              value: token\n",
            "              value: disabled\n",
            "ray_lets_in_who_holds_its_token",
        ),
        ("            - --include-dashboard=false\n", "", "ray_lets_in_who_holds_its_token"),
        (
            "  name: ray\nautomountServiceAccountToken: false",
            "  name: ray\n  annotations:\n    iam.gke.io/gcp-service-account: lakefs@acme\n"
            "automountServiceAccountToken: false",
            "ray_is_nobody_in_google_cloud",
        ),
        scenario="ray",
    ),
    *in_file(
        "k8s/components/ray/worker.yaml",
        (
            "                  name: ray\n                  key: token",
            "                  name: lakefs\n                  key: access-key-id",
            "ray_lets_in_who_holds_its_token",
        ),
        scenario="ray",
    ),
    *in_file(
        "k8s/components/ray/service.yaml",
        ("type: ClusterIP", "type: LoadBalancer", "ray_is_reached_by_its_own_pods_alone"),
        scenario="ray",
    ),
    *in_file(
        "k8s/components/ray/network.yaml",
        (
            "  ingress:\n    - from:\n        - podSelector:\n            matchExpressions:\n"
            "              - key: app.kubernetes.io/name\n                operator: In\n"
            "                values: [ray-head, ray-worker]",
            "  ingress:\n    - from:\n        - podSelector:\n            matchExpressions:\n"
            "              - key: app.kubernetes.io/name\n                operator: In\n"
            "                values: [ray-head, label-studio]",
            "ray_is_reached_by_its_own_pods_alone",
        ),
        scenario="ray",
    ),
)
