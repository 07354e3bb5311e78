"""Broken lines of buckets, outputs, keys and order."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

_STORAGE = in_file(
    "infra/storage.py",
    (
        "uniform_bucket_level_access=True",
        "uniform_bucket_level_access=False",
        "buckets_are_private",
    ),
    (
        'public_access_prevention="enforced"',
        'public_access_prevention="inherited"',
        "buckets_are_private",
    ),
    (
        "BucketVersioningArgs(enabled=True)",
        "BucketVersioningArgs(enabled=False)",
        "deleted_objects_come_back",
    ),
    (
        "args.soft_delete_days * DAY_S",
        "args.soft_delete_days",
        "deleted_objects_come_back",
    ),
    ("force_destroy=not args.protect", "force_destroy=True", "a_protected_bucket_is_never_emptied"),
    (
        "                num_newer_versions=1,\n                matches_prefixes=prefixes,\n",
        "                num_newer_versions=1,\n",
        "no_life_cycle_rule_touches_lakefs_s_namespace",
    ),
    (
        "    prefixes = [IMAGES_PREFIX]",
        '    prefixes = [IMAGES_PREFIX, "lakefs/cheese/"]',
        "no_life_cycle_rule_touches_lakefs_s_namespace",
    ),
    (
        "OLD_VERSION_DAYS = 90",
        "OLD_VERSION_DAYS = 3",
        "life_cycle_rules_take_old_versions_alone",
    ),
    (
        '            "AbortIncompleteMultipartUpload",\n'
        "            gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),",
        '            "Delete",\n'
        "            gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),",
        "life_cycle_rules_take_old_versions_alone",
    ),
    (
        '            "AbortIncompleteMultipartUpload",\n'
        "            gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),",
        '            "Delete",\n'
        "            gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),",
        "unfinished_uploads_are_given_up",
    ),
    ("origins=list(allowed)", 'origins=["*"]', "only_label_studio_s_pages_read_objects"),
    ('methods=["GET", "HEAD"]', 'methods=["GET", "PUT"]', "only_label_studio_s_pages_read_objects"),
    ("                cors=_cors(args.origins),\n", "", "pictures_open_in_label_studio"),
    (
        "parent=self, protect=args.protect, retain_on_delete=args.protect",
        "parent=self",
        "what_holds_data_is_protected_as_asked",
    ),
    (
        "                labels=args.labels,\n                uniform",
        "                uniform",
        "everything_that_takes_labels_says_whose_it_is",
    ),
)

_OPERATIONS = [
    *in_file(
        "infra/outputs.py",
        (
            'SCHEMA = "labeling-ops.stack/1"',
            'SCHEMA = "labeling-ops.stack/2"',
            "the_stack_tells_what_ops_reads",
        ),
        (
            "        pulumi.export(key_of(each.name), pulumi.Output.secret(getattr(secrets,"
            " each.name)))",
            "        pulumi.export(key_of(each.name), pulumi.Output.unsecret("
            "pulumi.Output.from_input(getattr(secrets, each.name))))",
            "the_stack_s_secrets_are_secret",
        ),
        (
            "        pulumi.export(key_of(each.name), pulumi.Output.secret(getattr(secrets,"
            " each.name)))",
            "        pulumi.export(key_of(each.name), pulumi.Output.unsecret("
            "pulumi.Output.from_input(getattr(secrets, each.name))))",
            "no_secret_is_in_plain_text",
        ),
    ),
    *in_file(
        "infra/__main__.py",
        (
            "        teardown=TEARDOWN if settings.protect else TEARDOWN_UNPROTECTED,",
            "        teardown=TEARDOWN_UNPROTECTED,",
            "the_stack_explains_its_teardown",
        ),
    ),
    *in_file(
        "infra/ground.py",
        (
            "            location=settings.place,",
            '            location="US",',
            "buckets_stand_where_they_were_asked_for",
        ),
    ),
    *in_file(
        "infra/__main__.py",
        (
            "    programs = {} if settings.iap_members else web",
            "    programs = web",
            "addresses_are_told_as_they_are",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/storage.py",
        (
            "                encryption=_encryption(args.encryption_key),\n",
            "",
            "a_key_of_one_s_own_encrypts_everything",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/encryption.py",
        (
            "pulumi.Output.all(key.id, *(each.id for each in grants))",
            "pulumi.Output.all(key.id)",
            "a_key_of_one_s_own_encrypts_everything",
        ),
        (
            'ROTATION = f"{90 * 24 * 60 * 60}s"',
            'ROTATION = f"{900 * 24 * 60 * 60}s"',
            "keys_rotate_and_die_slowly",
        ),
        scenario="public",
    ),
    *in_file(
        "infra/monitoring.py",
        ("THRESHOLDS = (0.5, 0.9, 1.0)", "THRESHOLDS = (1.0,)", "a_budget_warns_in_time"),
        ("use_ssl=True", "use_ssl=False", "both_servers_are_checked_from_outside"),
        ("_PERIOD_S = 300", "_PERIOD_S = 900", "both_servers_are_checked_from_outside"),
        scenario="public",
    ),
]

_PROGRAM = [
    *in_file(
        "infra/services.py",
        ("disable_on_destroy=False", "disable_on_destroy=True", "apis_stay_enabled"),
        (
            '        "dns": bool(settings.dns_zone) or settings.training_access,',
            '        "dns": bool(settings.dns_zone),',
            "every_api_is_on_before_it_is_used",
        ),
    ),
    *in_file(
        "infra/ordering.py",
        (
            "waiting = pulumi.ResourceOptions(depends_on=[*resources])",
            "waiting = pulumi.ResourceOptions()",
            "every_api_is_on_before_it_is_used",
        ),
    ),
    *in_file(
        "infra/storage.py",
        (
            "parent=self, protect=args.protect, retain_on_delete=args.protect",
            "parent=self, protect=args.protect, retain_on_delete=True",
            "an_unprotected_stack_leaves_nothing_behind",
        ),
        scenario="dev",
    ),
]

MUTATIONS: Sequence[Mutation] = (
    *_STORAGE,
    *_OPERATIONS,
    *_PROGRAM,
)
