"""Broken lines of the cluster and the databases."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

_CLUSTER = [
    *in_file(
        "infra/cluster.py",
        ("enable_private_nodes=True", "enable_private_nodes=False", "nodes_are_private"),
        (
            "            enabled=False\n",
            "            enabled=True\n",
            "the_control_plane_has_no_open_address",
        ),
        (
            "                deletion_protection=args.protect,",
            "                deletion_protection=False,",
            "the_cluster_is_deleted_only_when_asked_twice",
        ),
        (
            'RECURRENCE = "FREQ=WEEKLY;BYDAY=SA,SU"',
            'RECURRENCE = "FREQ=DAILY"',
            "upgrades_come_from_a_channel_in_a_window",
        ),
        (
            "cluster_secondary_range_name=PODS_RANGE",
            "cluster_secondary_range_name=SERVICES_RANGE",
            "the_cluster_stands_in_its_own_ranges",
        ),
        (
            "initial_node_count=None if is_autopilot else 1",
            "initial_node_count=1",
            "autopilot_is_left_alone",
        ),
        (
            "node_config=None if is_autopilot else",
            "node_config=",
            "autopilot_is_left_alone",
        ),
        (
            'AUTOPILOT_FILLED = ("nodeConfig", ',
            "AUTOPILOT_FILLED = (",
            "what_google_fills_in_shows_no_change",
        ),
        (
            "service_account=args.node_account, oauth_scopes=[_CLOUD_PLATFORM]\n        )\n    )",
            "oauth_scopes=[_CLOUD_PLATFORM]\n        )\n    )",
            "nodes_have_an_account_of_their_own",
        ),
        (
            "ClusterCostManagementConfigArgs(enabled=True)",
            "ClusterCostManagementConfigArgs(enabled=False)",
            "nodes_are_labelled_and_costs_are_told_apart",
        ),
        (
            "            delete_unreachable=True,",
            "            delete_unreachable=False,",
            "the_kubernetes_provider_lives_with_its_cluster",
        ),
        (
            "            kubeconfig=self.kubeconfig,",
            "            kubeconfig=pulumi.Output.unsecret(self.kubeconfig),",
            "the_kubernetes_provider_lives_with_its_cluster",
        ),
        (
            "            cluster_identifier=endpoint,\n",
            "",
            "the_kubernetes_provider_lives_with_its_cluster",
        ),
        (
            "resource_labels=args.labels,\n                release_channel",
            "release_channel",
            "everything_that_takes_labels_says_whose_it_is",
        ),
        (
            "protect=args.protect,\n                ignore_changes=list(",
            "ignore_changes=list(",
            "what_holds_data_is_protected_as_asked",
        ),
    ),
    *in_file(
        "infra/cluster.py",
        (
            "remove_default_node_pool=None if is_autopilot else True",
            "remove_default_node_pool=None",
            "a_standard_cluster_has_a_pool_of_its_own",
        ),
        (
            'NodePoolNodeConfigWorkloadMetadataConfigArgs(\n            mode="GKE_METADATA"',
            'NodePoolNodeConfigWorkloadMetadataConfigArgs(\n            mode="GCE_METADATA"',
            "a_standard_cluster_has_a_pool_of_its_own",
        ),
        scenario="standard",
    ),
    *in_file(
        "infra/kubeconfig.py",
        (
            '"user": {"exec": plugin}',
            '"user": {"exec": plugin, "token": "abc"}',
            "the_kubeconfig_holds_no_credential",
        ),
    ),
]

_DATABASE = [
    *in_file(
        "infra/database.py",
        ("ipv4_enabled=False", "ipv4_enabled=True", "the_database_is_private_and_encrypted"),
        (
            'ssl_mode="ENCRYPTED_ONLY"',
            'ssl_mode="ALLOW_UNENCRYPTED_AND_ENCRYPTED"',
            "the_database_is_private_and_encrypted",
        ),
        (
            "protect=args.protect, depends_on=list(args.peering)",
            "protect=args.protect",
            "the_database_comes_after_the_peering",
        ),
        (
            "point_in_time_recovery_enabled=True",
            "point_in_time_recovery_enabled=False",
            "the_database_is_backed_up",
        ),
        (
            "retained_backups=days",
            "retained_backups=1",
            "the_database_is_backed_up",
        ),
        (
            "retain_backups_on_delete=True",
            "retain_backups_on_delete=False",
            "the_database_is_backed_up",
        ),
        (
            '        edition="ENTERPRISE",\n',
            "",
            "the_database_is_as_large_and_as_available_as_asked",
        ),
        (
            '"REGIONAL" if args.is_highly_available else "ZONAL"',
            '"ZONAL"',
            "the_database_is_as_large_and_as_available_as_asked",
        ),
        (
            "deletion_protection_enabled=args.protect",
            "deletion_protection_enabled=False",
            "the_database_is_deleted_only_when_asked_twice",
        ),
        (
            'password=password, deletion_policy="ABANDON"',
            "password=password",
            "a_teardown_does_not_stop_at_the_database",
        ),
        (
            "                region=args.region,\n                database_version",
            '                name="labeling",\n                region=args.region,\n'
            "                database_version",
            "a_teardown_does_not_stop_at_the_database",
        ),
        (
            'name=name, instance=instance.name, charset="UTF8"',
            'name=f"{name}-db", instance=instance.name, charset="UTF8"',
            "each_server_has_a_database_and_a_user",
        ),
        (
            '    REQUIRED = "require"',
            '    REQUIRED = "prefer"',
            "servers_ask_for_an_encrypted_connection",
        ),
        (
            "protect=args.protect, depends_on=",
            "depends_on=",
            "what_holds_data_is_protected_as_asked",
        ),
    ),
    *in_file(
        "infra/servers.py",
        (
            '("dev" if cloud_sql is None else "prod") +',
            '"prod" +',
            "there_is_the_database_asked_for",
        ),
        scenario="dev",
    ),
    *in_file(
        "k8s/components/postgres/statefulset.yaml",
        (
            "whenDeleted: Retain",
            "whenDeleted: Delete",
            "a_database_in_the_cluster_is_dumped_and_kept",
        ),
        scenario="dev",
    ),
    *in_file(
        "k8s/components/postgres/kustomization.yaml",
        ("  - back-up.yaml\n", "", "a_database_in_the_cluster_is_dumped_and_kept"),
        scenario="dev",
    ),
]

MUTATIONS: Sequence[Mutation] = (
    *_CLUSTER,
    *_DATABASE,
)
