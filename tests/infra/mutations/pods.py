"""Broken lines of what runs in the cluster."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

_PODS = [
    *in_file(
        "k8s/base/namespace.yaml",
        (
            "pod-security.kubernetes.io/enforce: restricted",
            "pod-security.kubernetes.io/enforce: baseline",
            "every_object_is_in_the_namespace",
        ),
    ),
    *in_file(
        "k8s/base/lakefs/deployment.yaml",
        ("runAsNonRoot: true", "runAsNonRoot: false", "pods_are_nobody_and_may_nothing"),
        ("type: RuntimeDefault", "type: Unconfined", "pods_are_nobody_and_may_nothing"),
        (
            "automountServiceAccountToken: false",
            "automountServiceAccountToken: true",
            "no_pod_has_a_token_of_the_cluster",
        ),
        (
            "              path: /api/v1/setup_lakefs\n",
            "              path: /_health\n",
            "servers_say_whether_they_are_well",
        ),
    ),
    *in_file(
        "k8s/overlays/prod/lakefs-resources.yaml",
        (
            '    limits:\n      cpu: "2"\n      memory: 2Gi\n',
            '    limits:\n      cpu: "2"\n',
            "every_container_has_a_budget",
        ),
    ),
    *in_file(
        "k8s/base/kustomization.yaml",
        ("newTag: 1.84.0", "newTag: latest", "images_are_pinned"),
    ),
    *in_file(
        "k8s/base/network.yaml",
        (
            "  podSelector: {}\n  policyTypes: [Ingress, Egress]",
            "  podSelector: {}\n  policyTypes: [Ingress]",
            "nothing_talks_unless_it_is_named",
        ),
    ),
    *in_file(
        "k8s/base/label-studio/service.yaml",
        (
            "kind: PodDisruptionBudget\nmetadata:\n  name: label-studio",
            "kind: PodDisruptionBudget\nmetadata:\n  name: another",
            "a_disruption_takes_one_pod_at_a_time",
        ),
    ),
    *in_file(
        "infra/workloads.py",
        (
            "return with_variable(body, KEEP_DAYS, str(args.backup_days))",
            "return body",
            "the_database_is_backed_up",
        ),
        scenario="dev",
    ),
    *in_file(
        "infra/workloads.py",
        (
            '        spec["replicas"] = args.replicas[name]',
            '        spec["replicas"] = 1',
            "there_are_as_many_pods_as_asked",
        ),
        (
            '{"template": {"metadata": {"annotations": {DIGEST: digest}}}}',
            "{}",
            "a_changed_configuration_rolls_the_pods",
        ),
        (
            "        ready = [*args.ready, *args.cluster.nodes]",
            "        ready = [*args.cluster.nodes]",
            "servers_start_after_what_they_need",
        ),
        (
            "parent=self, provider=self._cluster.provider)",
            "parent=self)",
            "every_kubernetes_object_uses_the_cluster_s_provider",
        ),
        (
            "                deleted_with=self.namespace,",
            "               ",
            "every_kubernetes_object_goes_with_its_namespace",
        ),
        (
            "    return pulumi.Output.unsecret(known.apply(_digest))",
            "    return pulumi.Output.unsecret(known.apply(str))",
            "no_secret_is_in_plain_text",
        ),
        (
            "parent=self, provider=self._cluster.provider)",
            "provider=self._cluster.provider)",
            "every_resource_has_a_component_for_parent",
        ),
        (
            "        self.running = running\n        self.register_outputs({})",
            "        self.running = running",
            "every_component_registers_its_outputs",
        ),
        (
            "        name: {key: pulumi.Output.secret(value) for key, value in data.items()}\n"
            "        for name, data in args.secrets.items()",
            '        name: {"all": pulumi.Output.secret(str(data))}\n'
            "        for name, data in args.secrets.items()",
            "refused",
        ),
    ),
    *in_file(
        "infra/workloads.py",
        (
            "        self.running = running\n",
            "        self.running = running\n"
            '        kubernetes.helm.v3.Release("chart", chart="postgresql",'
            " opts=pulumi.ResourceOptions(parent=self, provider=self._cluster.provider,"
            " deleted_with=self.namespace))\n",
            "nothing_is_declared_that_needs_a_provider_s_own_code",
        ),
    ),
    *in_file(
        "k8s/base/label-studio/deployment.yaml",
        (
            "            - name: LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK\n"
            '              value: "true"\n',
            "",
            "telemetry_and_sign_up_are_off",
        ),
    ),
    *in_file(
        "infra/configuration.py",
        (
            '        "stats": {"enabled": False},\n',
            "",
            "telemetry_and_sign_up_are_off",
        ),
    ),
]

MUTATIONS: Sequence[Mutation] = (*_PODS,)
