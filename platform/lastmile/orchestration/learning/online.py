"""The newest features of each entity are kept with every partition that is replaced, and a check compares them with the
feature set's table: in Redis where `LASTMILE_REDIS_URL` names one, in Postgres otherwise."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.features.online import OnlineTable
    from lastmile.learning.relations import Window

CHECK = "online_equals_offline"
DESCRIPTION = "The newest row of each entity is kept online as it is in the table."


def online_metadata(features: FeatureSet) -> dict[str, Any]:
    """What the I/O manager needs to know of the feature set."""
    return {"online": {"key": list(features.key), "newest_by": list(features.newest_by)}}


def online_table(key: dg.AssetKey, metadata: dict[str, Any]) -> "OnlineTable | None":
    """None for an asset that is not kept online."""
    from lastmile.learning.features.online import OnlineTable

    declared = metadata.get("online")
    return OnlineTable(key.path[-1], tuple(declared["key"]), tuple(declared["newest_by"])) if declared else None


def replace_online(platform: Platform, connection: "Connection", table: "OnlineTable", window: "Window") -> None:
    """In the transaction that replaces a partition. With Redis there is no table, which would be outdated one day."""
    if platform.settings().redis_url:
        table.drop(connection)
    else:
        table.fill(connection, window)


def fill_redis(platform: Platform, connection: "Connection", table: "OnlineTable") -> None:
    """After all partitions of a run are replaced; does nothing without Redis."""
    if url := platform.settings().redis_url:
        from lastmile.learning.features import online_redis

        with online_redis.connected(url) as redis:
            online_redis.fill(connection, redis, table)


def online_check(platform: Platform, features: FeatureSet) -> dg.AssetCheckResult:
    """Once the rows are kept."""
    from lastmile.learning.features import online_redis
    from lastmile.learning.features.online import online

    table, url = online(features), platform.settings().redis_url
    with platform.connect() as connection:
        if url:
            with online_redis.connected(url) as redis:
                unlike = online_redis.differences(connection, redis, table)
        else:
            unlike = table.differences(connection)
    said = f"{unlike} rows online are not the newest ones of {features.table}: materialize the asset again"
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=not unlike,
        description=said if unlike else None,
        metadata={"kept in": "Redis" if url else f"online.{features.name}"},
    )
