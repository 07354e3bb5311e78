"""Which rule a change's document asks for: what merging a reviewed change needs to make it again.

Owns nothing but the choice by kind.
"""

from typing import assert_never

from ops.core.changes import ChangeRequest, DatasetChangeKind, Rule
from ops.runner.context import Context
from ops.runner.ontology import migration_rule
from ops.runner.revert_rules import revert_rule


def rule_of(context: Context, request: ChangeRequest) -> Rule:
    """The rule of a change, from its document alone. No request yet."""
    match request.kind:
        case DatasetChangeKind.REVERT:
            return revert_rule(context, request)
        case DatasetChangeKind.ONTOLOGY:
            return migration_rule(context, request)
        case _:
            assert_never(request.kind)
