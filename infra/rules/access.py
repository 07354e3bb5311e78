"""Rules of who gets in, who is told, and who pays."""

import re
from collections.abc import Iterator

from infra.naming import host_problem, is_address, resource_problem
from infra.rules.problem import Problem, Rule
from infra.settings import Settings

_BILLING_ACCOUNT = re.compile(r"[0-9A-F]{6}(-[0-9A-F]{6}){2}", re.ASCII)


def _domain(settings: Settings) -> Iterator[Problem]:
    domain = settings.domain
    if not domain:
        return
    reason = host_problem(domain)
    if domain.startswith(("https://", "http://")):
        reason = "it is an address, and the bare domain is asked for"
    elif domain.startswith("*."):
        reason = "Label Studio is served at one domain, not at all below it"
    if reason:
        yield Problem(
            code="domain",
            keys=("domain",),
            reason=f"{domain!r}: {reason}",
            remedy="pulumi config set domain labeling.example.org (lower case)",
        )


def _needs_domain(settings: Settings) -> Iterator[Problem]:
    wanting = {
        "dnsZone": (settings.dns_zone, "there is no record to write into the zone"),
        "iapMembers": (settings.iap_members, "Identity-Aware Proxy stands before a public address"),
        "uptimeCheck": (settings.uptime_check, "from outside there is nothing to be reached"),
    }
    for key, (value, reason) in wanting.items():
        if value and not settings.domain:
            yield Problem(
                code="domain-missing",
                keys=(key, "domain"),
                reason=f"without a domain {reason}",
                remedy=f"pulumi config set domain labeling.example.org, or rm {key}",
            )


def _dns_zone(settings: Settings) -> Iterator[Problem]:
    zone = settings.dns_zone
    if zone and resource_problem(zone):
        yield Problem(
            code="dns-zone",
            keys=("dnsZone",),
            reason=f"{zone!r} is no zone's name: it is what Cloud DNS calls it, not the domain",
            remedy="gcloud dns managed-zones list, then pulumi config set dnsZone NAME",
        )


def _iap_members(settings: Settings) -> Iterator[Problem]:
    for member in settings.iap_members:
        if reason := _member_problem(settings, member):
            yield Problem(
                code="iap-member",
                keys=("iapMembers",),
                reason=f"{member!r}: {reason}",
                remedy="write user:ann@example.org, group:..., domain:... or serviceAccount:...",
            )


def _member_problem(settings: Settings, member: str) -> str | None:
    kind, _, who = member.partition(":")
    if kind in {"allUsers", "allAuthenticatedUsers"}:
        return "that is everybody on the internet, which is no proxy at all"
    if settings.iap_members.count(member) > 1:
        return "it is named twice"
    if kind == "domain":
        return host_problem(who)
    if kind not in {"user", "group", "serviceAccount"}:
        return "it does not begin with user:, group:, domain: or serviceAccount:"
    return None if is_address(who) else f"{who!r} is no e-mail address"


def _budget(settings: Settings) -> Iterator[Problem]:
    account = settings.billing_account
    if settings.monthly_budget > 0 and not account:
        yield Problem(
            code="billing-account-missing",
            keys=("monthlyBudget", "billingAccount"),
            reason="a budget belongs to a billing account",
            remedy="gcloud billing accounts list, then pulumi config set billingAccount ID",
        )
    if account and not settings.monthly_budget:
        yield Problem(
            code="budget-missing",
            keys=("billingAccount", "monthlyBudget"),
            reason="a billing account is used for the budget alert alone, and there is none",
            remedy="pulumi config set monthlyBudget 200, or pulumi config rm billingAccount",
        )
    if account and not _BILLING_ACCOUNT.fullmatch(account):
        yield Problem(
            code="billing-account",
            keys=("billingAccount",),
            reason=f"{account!r} is not written as 012345-6789AB-CDEF01",
            remedy="gcloud billing accounts list, then pulumi config set billingAccount ID",
        )


def _alerts(settings: Settings) -> Iterator[Problem]:
    email = settings.alert_email
    if settings.uptime_check and not email:
        yield Problem(
            code="alert-email-missing",
            keys=("uptimeCheck", "alertEmail"),
            reason="an alert nobody is sent is no alert",
            remedy="pulumi config set alertEmail you@example.org",
        )
    if email and not settings.uptime_check:
        yield Problem(
            code="alert-without-check",
            keys=("alertEmail", "uptimeCheck"),
            reason="nothing would ever be sent there: only the uptime check alerts",
            remedy="pulumi config set uptimeCheck true, or pulumi config rm alertEmail",
        )
    if email and not is_address(email):
        yield Problem(
            code="alert-email",
            keys=("alertEmail",),
            reason=f"{email!r} is no e-mail address",
            remedy="pulumi config set alertEmail you@example.org",
        )


RULES: tuple[Rule, ...] = (_domain, _needs_domain, _dns_zone, _iap_members, _budget, _alerts)
