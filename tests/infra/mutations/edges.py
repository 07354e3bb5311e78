"""Broken lines of the network and of the public side."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

_EXPOSURE = [
    *in_file(
        "infra/__main__.py",
        (
            "_exposure(settings, names, ground, servers) if settings.domain else None",
            "None",
            "a_domain_has_one_gateway",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/exposure.py",
        (
            '"parentRefs": [{"name": _GATEWAY, "sectionName": "https"}]',
            '"parentRefs": [{"name": _GATEWAY, "sectionName": "http"}]',
            "plain_http_only_redirects",
        ),
        (
            'redirect = {"scheme": "https", "statusCode": 301}',
            'redirect = {"scheme": "http", "statusCode": 301}',
            "plain_http_only_redirects",
        ),
        (
            'Workload.LAKEFS: f"{Workload.LAKEFS}.{domain}"}',
            'Workload.LAKEFS: f"data.{domain}"}',
            "each_host_goes_to_its_server_alone",
        ),
        (
            '            annotations={"networking.gke.io/certmap": certificate_map},\n',
            "",
            "certificates_are_google_s_and_for_every_host",
        ),
        (
            '        behaviour["iap"] = {"enabled": True}',
            '        behaviour["iap"] = {"enabled": False}',
            "google_s_own_login_stands_before_people_s_pages",
        ),
        (
            "                member=member,\n                condition=",
            '                member="domain:example.com",\n                condition=',
            "google_s_own_login_stands_before_people_s_pages",
        ),
        (
            '        "HealthCheckPolicy", backend.workload',
            '        "GCPBackendPolicy", backend.workload',
            "refused",
        ),
        (
            'backend.workload, {"default": check, "targetRef": target}',
            'backend.workload, {"default": check, "targetRef": {**target, "name": "other"}}',
            "load_balancers_ask_whether_a_server_is_ready",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/certificate.py",
        (
            "        self.by_hand = () if args.dns_zone else tuple(records)",
            "        self.by_hand = tuple(records)",
            "somebody_sets_every_dns_record",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/configuration.py",
        (
            '        "SESSION_COOKIE_SECURE": "1",\n',
            "",
            "cookies_travel_over_https_alone",
        ),
        scenario="public",
    ),
]

_NETWORK = [
    *in_file(
        "infra/network.py",
        (
            "auto_create_subnetworks=False",
            "auto_create_subnetworks=True",
            "the_network_is_one_s_own",
        ),
        (
            "private_ip_google_access=True",
            "private_ip_google_access=False",
            "google_is_reached_privately_and_flows_are_logged",
        ),
        (
            "flow_sampling=0.1",
            "flow_sampling=0",
            "google_is_reached_privately_and_flows_are_logged",
        ),
        (
            'source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES"',
            'source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS"',
            "there_is_one_way_out",
        ),
        (
            "        self.exits = self._exits(name, args, network)",
            "        self.exits = self._exits(name, args, network)\n"
            '        gcp.compute.Firewall(name, network=network.id, source_ranges=["0.0.0.0/0"],'
            " opts=pulumi.ResourceOptions(parent=self))",
            "no_firewall_rule_opens_anything",
        ),
        (
            'takes it along.\n                deletion_policy="ABANDON",\n',
            "takes it along.\n",
            "a_teardown_does_not_stop_at_the_database",
        ),
        (
            'address_type="INTERNAL"',
            'address_type="EXTERNAL"',
            "without_a_domain_nothing_is_public",
        ),
    ),
    *in_file(
        "infra/training.py",
        (
            '"networking.gke.io/load-balancer-type": "Internal"',
            '"networking.gke.io/load-balancer-type": "External"',
            "services_are_inside_alone",
        ),
        ('visibility="private"', 'visibility="public"', "without_a_domain_nothing_is_public"),
    ),
    *in_file(
        "k8s/base/lakefs/service.yaml",
        ("  type: ClusterIP", "  type: LoadBalancer", "services_are_inside_alone"),
    ),
    *in_file(
        "infra/__main__.py",
        (
            "    if settings.training_access:\n",
            "    if not settings.training_access:\n",
            "training_jobs_have_an_address",
        ),
    ),
]

MUTATIONS: Sequence[Mutation] = (
    *_EXPOSURE,
    *_NETWORK,
)
