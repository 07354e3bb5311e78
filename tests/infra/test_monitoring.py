"""The budget and the checks from outside."""

from infra.monitoring import SpendingAlert, SpendingAlertArgs, Uptime, UptimeArgs
from tests.infra.answers import PROJECT
from tests.infra.parts import LABELS
from tests.infra.recording import Recorded, record_component

PATHS = {"labeling.example.org": "/ready", "lakefs.labeling.example.org": "/_health"}


def uptime(*, behind_iap: bool = False) -> Recorded:
    args = UptimeArgs(
        project=PROJECT,
        paths=PATHS,
        behind_iap=behind_iap,
        alert_email="oncall@example.org",
        labels=LABELS,
    )
    return record_component(lambda: Uptime("uptime", args))


def test_every_host_is_asked_for_what_answers_without_credentials() -> None:
    checks = uptime().of("UptimeCheckConfig")
    asked = {
        str(each.at("monitoredResource.labels.host")): str(each.at("httpCheck.path"))
        for each in checks
    }
    assert asked == PATHS
    assert {each.at("httpCheck.port") for each in checks} == {443}


def test_a_sign_in_is_the_expected_answer_behind_the_proxy_only() -> None:
    for behind_iap, codes in ((False, [200]), (True, [302, 200])):
        for check in uptime(behind_iap=behind_iap).of("UptimeCheckConfig"):
            accepted = check.list_at("httpCheck.acceptedResponseStatusCodes")
            assert [each["statusValue"] for each in accepted] == codes


def test_each_check_has_an_alert_that_reaches_somebody() -> None:
    recorded = uptime()
    channel = recorded.one("NotificationChannel")
    assert channel.at("labels") == {"email_address": "oncall@example.org"}
    alerts = recorded.of("AlertPolicy")
    checks = {each.urn for each in recorded.of("UptimeCheckConfig")}
    watched = [checks & each.depends_on for each in alerts]
    assert sorted(map(len, watched)) == [1, 1]
    assert {urn for each in watched for urn in each} == checks
    for each in alerts:
        assert channel.urn in each.depends_on
        assert len(each.list_at("notificationChannels")) == 1


def test_one_region_that_sees_a_failure_wakes_nobody() -> None:
    for alert in uptime().of("AlertPolicy"):
        condition = alert.table_at("conditions.0.conditionThreshold")
        assert (condition["comparison"], condition["thresholdValue"]) == ("COMPARISON_GT", 1)
        assert "check_passed" in condition["filter"]
        assert 'check_id=""' not in condition["filter"]


def test_a_budget_is_of_this_project_and_in_the_account_s_currency() -> None:
    args = SpendingAlertArgs(
        project=PROJECT,
        billing_account="012345-6789AB-CDEF01",
        amount=250,
        display_name="labeling-budget-dev",
    )
    budget = record_component(lambda: SpendingAlert("budget", args)).one("Budget")
    assert budget.at("budgetFilter.projects") == [f"projects/{PROJECT}"]
    assert budget.at("amount.specifiedAmount") == {"units": "250"}
    assert budget.ignore_changes == ("budgetFilter.projects",)
