"""What tells people that money runs or a server does not answer.

Owns the budget, and the uptime checks with their alerts. Does not own logs and metrics: GKE and
Cloud SQL write those unasked.

Behind Identity-Aware Proxy a check from outside is sent to sign in: it then says that the address,
the certificate and the proxy work, and nothing of the servers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

THRESHOLDS = (0.5, 0.9, 1.0)
_PERIOD_S = 300
_TIMEOUT_S = 10
_OK = (200,)
# To Google's sign-in, or its page where the redirect is followed.
_SIGN_IN = (302, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingAlertArgs:
    """When an alert is sent.

    Attributes:
        amount: a month, in the billing account's own currency.
    """

    project: str
    billing_account: str
    amount: int
    display_name: str


class SpendingAlert(pulumi.ComponentResource):
    """Alerts to the billing account's administrators. It stops nothing: Google has no such stop."""

    def __init__(
        self, name: str, args: SpendingAlertArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the budget."""
        super().__init__("labeling-ops:infra:SpendingAlert", name, None, opts)
        gcp.billing.Budget(
            name,
            gcp.billing.BudgetArgs(
                billing_account=args.billing_account,
                display_name=args.display_name,
                budget_filter=gcp.billing.BudgetBudgetFilterArgs(
                    projects=[f"projects/{args.project}"]
                ),
                amount=gcp.billing.BudgetAmountArgs(
                    # The account's currency: another would be refused.
                    specified_amount=gcp.billing.BudgetAmountSpecifiedAmountArgs(
                        units=str(args.amount)
                    )
                ),
                threshold_rules=[
                    gcp.billing.BudgetThresholdRuleArgs(
                        threshold_percent=each, spend_basis="CURRENT_SPEND"
                    )
                    for each in THRESHOLDS
                ],
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Google answers with the project's number: a difference at every update.
                ignore_changes=["budgetFilter.projects"],
            ),
        )
        self.register_outputs({})


@dataclass(frozen=True, slots=True, kw_only=True)
class UptimeArgs:
    """What is asked from outside, and who is told.

    Attributes:
        paths: by host; each answers 200 without credentials.
        behind_iap: whether a sign-in answers instead.
        alert_email: where alerts go.
    """

    project: str
    paths: Mapping[str, str]
    behind_iap: bool
    alert_email: str
    labels: Mapping[str, str]


class Uptime(pulumi.ComponentResource):
    """A check of each host every five minutes, and an alert where two regions see it fail."""

    def __init__(
        self, name: str, args: UptimeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare checks, alerts and the address they go to."""
        super().__init__("labeling-ops:infra:Uptime", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        channel = gcp.monitoring.NotificationChannel(
            name,
            gcp.monitoring.NotificationChannelArgs(
                type="email",
                display_name=f"{name}: {args.alert_email}",
                labels={"email_address": args.alert_email},
                user_labels=args.labels,
            ),
            opts=self._child,
        )
        for host in args.paths:
            self._alert(host, self._check(host, args), args, [channel.name])
        self.register_outputs({})

    def _check(self, host: str, args: UptimeArgs) -> gcp.monitoring.UptimeCheckConfig:
        expected = _SIGN_IN if args.behind_iap else _OK
        return gcp.monitoring.UptimeCheckConfig(
            host,
            gcp.monitoring.UptimeCheckConfigArgs(
                display_name=host,
                period=f"{_PERIOD_S}s",
                timeout=f"{_TIMEOUT_S}s",
                http_check=gcp.monitoring.UptimeCheckConfigHttpCheckArgs(
                    path=args.paths[host],
                    port=443,
                    use_ssl=True,
                    validate_ssl=True,
                    accepted_response_status_codes=[
                        gcp.monitoring.UptimeCheckConfigHttpCheckAcceptedResponseStatusCodeArgs(
                            status_value=each
                        )
                        for each in expected
                    ],
                ),
                monitored_resource=gcp.monitoring.UptimeCheckConfigMonitoredResourceArgs(
                    type="uptime_url", labels={"project_id": args.project, "host": host}
                ),
                user_labels=args.labels,
            ),
            opts=self._child,
        )

    def _alert(
        self,
        host: str,
        check: gcp.monitoring.UptimeCheckConfig,
        args: UptimeArgs,
        channels: Sequence[pulumi.Input[str]],
    ) -> None:
        condition = gcp.monitoring.AlertPolicyConditionConditionThresholdArgs(
            filter=pulumi.Output.concat(
                'metric.type="monitoring.googleapis.com/uptime_check/check_passed"',
                ' AND resource.type="uptime_url"',
                ' AND metric.label.check_id="',
                check.uptime_check_id,
                '"',
            ),
            comparison="COMPARISON_GT",
            # More than one place that sees it fail: one alone is that place's own trouble.
            threshold_value=1,
            duration="0s",
            aggregations=[
                gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                    # Twenty minutes of answers, so that each region has given some.
                    alignment_period="1200s",
                    per_series_aligner="ALIGN_NEXT_OLDER",
                    cross_series_reducer="REDUCE_COUNT_FALSE",
                    group_by_fields=["resource.label.host"],
                )
            ],
        )
        gcp.monitoring.AlertPolicy(
            host,
            gcp.monitoring.AlertPolicyArgs(
                display_name=f"{host} does not answer",
                combiner="OR",
                conditions=[
                    gcp.monitoring.AlertPolicyConditionArgs(
                        display_name="failing from more than one region",
                        condition_threshold=condition,
                    )
                ],
                notification_channels=[*channels],
                documentation=gcp.monitoring.AlertPolicyDocumentationArgs(
                    content=f"`ops doctor` says what does not work. Asked: "
                    f"https://{host}{args.paths[host]}",
                    mime_type="text/markdown",
                ),
                user_labels=args.labels,
            ),
            opts=self._child,
        )
