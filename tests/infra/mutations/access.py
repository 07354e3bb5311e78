"""Broken lines about who may do what, and about secrets."""

from collections.abc import Sequence

from tests.infra.mutations.row import Mutation, in_file

_ACCESS = in_file(
    "infra/identity.py",
    (
        "        self.email = account.email\n        self.member = account.member\n"
        "        self.ready = tuple(grants)",
        "        gcp.serviceaccount.Key(name, service_account_id=account.name,"
        " opts=pulumi.ResourceOptions(parent=self))\n"
        "        self.email = account.email\n        self.member = account.member\n"
        "        self.ready = tuple(grants)",
        "there_are_no_keys",
    ),
    (
        "        self.ready = tuple(grants)",
        "        gcp.storage.HmacKey(name, service_account_email=account.email,"
        " opts=pulumi.ResourceOptions(parent=self))\n        self.ready = tuple(grants)",
        "there_are_no_keys",
    ),
    (
        "        self.ready = tuple(grants)",
        "        gcp.storage.BucketIAMBinding(name, bucket=args.roles[0].bucket,"
        " role=args.roles[0].role, members=[account.member],"
        " opts=pulumi.ResourceOptions(parent=self))\n        self.ready = tuple(grants)",
        "nobody_s_permission_is_overwritten",
    ),
    (
        "bucket=given.bucket, role=given.role, member=account.member",
        'bucket=given.bucket, role=given.role, member="allUsers"',
        "no_role_is_everybody_s",
    ),
    (
        'NODE = "roles/container.defaultNodeServiceAccount"',
        'NODE = "roles/storage.admin"',
        "roles_on_the_project_are_the_nodes_alone",
    ),
    (
        'WRITES_OBJECTS = "roles/storage.objectUser"',
        'WRITES_OBJECTS = "roles/storage.admin"',
        "bucket_roles_are_about_objects",
    ),
    (
        'BucketRole(label="media", bucket=media_bucket, role=WRITES_OBJECTS),)',
        'BucketRole(label="media", bucket=media_bucket, role=READS_OBJECTS),)',
        "each_bucket_has_one_writer",
    ),
    (
        'grants.append(_may_use(self, f"{name}-signing", account, role=SIGNS, member=itself))',
        'grants.append(_may_use(self, f"{name}-signing", account, role=SIGNS,'
        ' member=f"serviceAccount:other@{args.project}.iam.gserviceaccount.com"))',
        "accounts_act_as_themselves_alone",
    ),
    (
        "        if args.can_sign:",
        '        if args.can_sign and name != "lakefs":',
        "both_servers_may_sign_without_a_key",
    ),
    (
        "[{args.namespace}/{args.service_account}]",
        "[default/{args.service_account}]",
        "each_pod_is_one_account_and_each_account_one_pod",
    ),
)

_IMPORTS = [
    *in_file(
        "infra/identity.py",
        (
            "bucket=bucket, role=READS_OBJECTS)",
            "bucket=bucket, role=WRITES_OBJECTS)",
            "buckets_of_others_are_only_read",
        ),
        (
            "        for bucket in import_buckets\n",
            "        for bucket in import_buckets[1:]\n",
            "every_import_bucket_may_be_read",
        ),
        scenario="standard",
    ),
]

_SECRECY = [
    *in_file(
        "infra/servers.py",
        (
            "            Workload.LABEL_STUDIO: environment,\n",
            "            Workload.LABEL_STUDIO:"
            ' {**environment, "LOOSE": credentials.label_studio_password},\n',
            "no_config_map_holds_a_secret",
        ),
        (
            "CredentialsArgs(protect=settings.protect,",
            "CredentialsArgs(protect=False,",
            "what_holds_data_is_protected_as_asked",
        ),
    ),
    *in_file(
        "infra/credentials.py",
        (
            'self._secret("label-studio-password", 32)',
            'self._secret("label-studio-password", 12)',
            "secrets_are_long_and_of_safe_characters",
        ),
        (
            "length=length, special=False",
            "length=length, special=True",
            "secrets_are_long_and_of_safe_characters",
        ),
        ("_KEY_ID_LENGTH = 20", "_KEY_ID_LENGTH = 24", "lakefs_s_access_key_fits_a_signature"),
    ),
    *in_file(
        "infra/configuration.py",
        (
            '            "signing-secret-key": credentials.lakefs_signing_key,',
            '            "signing-secret-key": credentials.lakefs_encryption_key,',
            "every_secret_is_its_own",
        ),
        (
            '            "signing-secret-key": credentials.lakefs_signing_key,\n',
            "",
            "secrets_have_the_agreed_keys",
        ),
    ),
]

MUTATIONS: Sequence[Mutation] = (
    *_ACCESS,
    *_IMPORTS,
    *_SECRECY,
)
