"""What a stack tells and is told: outputs, keys, budget, checks."""

import json
from collections.abc import Iterator

from tests.infra.invariants.rule import invariant, is_set, setting, unlike, waited_for
from tests.infra.recording import Recorded

OUTPUTS = frozenset(
    {
        "bucket",
        "clusterLocation",
        "clusterName",
        "database",
        "databaseInstance",
        "dnsRecords",
        "imagesPrefix",
        "kubeconfig",
        "labelStudioEmail",
        "labelStudioPassword",
        "labelStudioSecretKey",
        "labelStudioServiceAccount",
        "labelStudioUrl",
        "lakefsAccessKeyId",
        "lakefsSecretAccessKey",
        "lakefsServiceAccount",
        "lakefsUrl",
        "namespace",
        "project",
        "rayAddress",
        "rayLakefsUrl",
        "rayToken",
        "region",
        "s3Endpoint",
        "schema",
        "storageNamespacePrefix",
        "teardown",
        "webAddresses",
    }
)


@invariant
def the_stack_tells_what_ops_reads(recorded: Recorded) -> Iterator[str]:
    """Every name of the agreed document, and no other."""
    yield from sorted(recorded.outputs.keys() ^ OUTPUTS)
    expected = {
        "schema": "labeling-ops.stack/1",
        "project": recorded.config["gcp:project"],
        "region": recorded.config["gcp:region"],
        "namespace": "labeling-ops",
        "labelStudioEmail": setting(recorded, "adminEmail"),
    }
    for key, value in expected.items():
        if recorded.outputs.get(key) != value:
            yield f"{key} is {recorded.outputs.get(key)!r}"


@invariant
def addresses_are_told_as_they_are(recorded: Recorded) -> Iterator[str]:
    """HTTPS alone with a domain; none without, which means by port-forward.

    Behind Identity-Aware Proxy there is none for programs: it lets none in.
    """
    domain = setting(recorded, "domain")
    web = [f"https://{domain}", f"https://lakefs.{domain}"] if domain else []
    for_programs = [] if setting(recorded, "iapMembers") != "[]" else web
    expected = {
        "labelStudioUrl": for_programs[0] if for_programs else "",
        "lakefsUrl": for_programs[1] if for_programs else "",
        "webAddresses": web,
    }
    for key, value in expected.items():
        if recorded.outputs[key] != value:
            yield f"{key} is {recorded.outputs[key]!r}"


@invariant
def the_stack_explains_its_teardown(recorded: Recorded) -> Iterator[str]:
    """In two steps where it is protected, and without a word of two where it is not."""
    told = str(recorded.outputs["teardown"])
    if "pulumi destroy" not in told or ("protect false" in told) != is_set(recorded, "protect"):
        yield told


@invariant
def buckets_stand_where_they_were_asked_for(recorded: Recorded) -> Iterator[str]:
    """In the region, unless another location was chosen."""
    wanted = (setting(recorded, "bucketLocation") or recorded.config["gcp:region"]).upper()
    for each in recorded.of("Bucket"):
        if str(each.at("location")).upper() != wanted:
            yield f"{each.name}: {each.at('location')}"


@invariant
def a_key_of_one_s_own_encrypts_everything(recorded: Recorded) -> Iterator[str]:
    """Buckets and database, if asked; and then after the key may be used."""
    keys = recorded.of("CryptoKey")
    if len(keys) != int(is_set(recorded, "customerManagedKeys")):
        yield f"{len(keys)} keys"
    if not keys:
        return
    grants = {each.urn for each in recorded.of("CryptoKeyIAMMember")}
    places = {
        "Bucket": "encryption.defaultKmsKeyName",
        "sql/databaseInstance:DatabaseInstance": "encryptionKeyName",
    }
    for kind, path in places.items():
        for each in recorded.of(kind):
            if "cryptoKeys" not in str(each.at(path)):
                yield f"{kind} {each.name} is not encrypted by it"
            if not grants <= waited_for(recorded, each):
                yield f"{kind} {each.name} does not wait until the key may be used"


@invariant
def keys_rotate_and_die_slowly(recorded: Recorded) -> Iterator[str]:
    """Every ninety days; and thirty days to take a destruction back."""
    for each in recorded.of("CryptoKey"):
        expected = {"rotationPeriod": "7776000s", "destroyScheduledDuration": "2592000s"}
        yield from unlike(each, expected)


@invariant
def a_budget_warns_in_time(recorded: Recorded) -> Iterator[str]:
    """At half, at nine tenths, and at all of it."""
    wanted = int(setting(recorded, "monthlyBudget"))
    budgets = recorded.of("billing/budget:Budget")
    if len(budgets) != int(wanted > 0):
        yield f"{len(budgets)} budgets for {wanted}"
    for each in budgets:
        if int(each.at("amount.specifiedAmount.units")) != wanted:
            yield f"it is {each.at('amount.specifiedAmount.units')}"
        thresholds = sorted(rule["thresholdPercent"] for rule in each.at("thresholdRules"))
        if thresholds != [0.5, 0.9, 1]:
            yield f"it warns at {thresholds}"


@invariant
def both_servers_are_checked_from_outside(recorded: Recorded) -> Iterator[str]:
    """Every five minutes over HTTPS, if asked; and somebody is told."""
    checks = recorded.of("UptimeCheckConfig")
    wanted = 2 if is_set(recorded, "uptimeCheck") else 0
    if len(checks) != wanted:
        yield f"{len(checks)} checks"
    for each in checks:
        expected = {"period": "300s", "httpCheck.useSsl": True, "httpCheck.validateSsl": True}
        yield from unlike(each, expected)
    told = json.dumps([each.at("labels") for each in recorded.of("NotificationChannel")])
    if wanted and setting(recorded, "alertEmail") not in told:
        yield "nobody is told"
