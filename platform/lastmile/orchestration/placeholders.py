"""Assets in the place of declarations that cannot be used, so that the graph shows what is missing, and why."""

import re
from collections.abc import Iterator, Sequence

import dagster as dg

from lastmile.contracts.broken import Broken

_CHECK = "can_be_used"
_GROUP = "broken"


def placeholders(broken: Sequence[Broken]) -> dg.Definitions:
    """An asset `broken/<file>` for each, whose description has the error and whose check fails."""
    by_key = {_key(one): one for one in broken}
    return dg.Definitions(
        assets=[_asset(key, one) for key, one in by_key.items()],
        asset_checks=[_check(key, one) for key, one in by_key.items()],
    )


def verdicts(broken: Sequence[Broken]) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks say, to be reported without a run."""
    for one in broken:
        yield dg.AssetCheckEvaluation(
            asset_key=_key(one),
            check_name=_CHECK,
            passed=False,
            description=str(one),
            metadata={"traceback": dg.MetadataValue.md(f"```\n{one.traceback}\n```")},
        )


def _asset(key: dg.AssetKey, one: Broken) -> dg.AssetSpec:
    text = f"{one}.\n\nCorrect the file, then reload the code.\n\n```\n{one.traceback}\n```"
    return dg.AssetSpec(key, description=text, group_name=_GROUP)


def _check(key: dg.AssetKey, one: Broken) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key, name=_CHECK, description="The declaration loads and can be part of the graph.")
    def can_be_used() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description=str(one))

    return can_be_used


def _key(one: Broken) -> dg.AssetKey:
    return dg.AssetKey([_GROUP, re.sub(r"[^A-Za-z0-9_]+", "_", one.file).strip("_") or "_"])
