"""The graph of assets as plain data: what each is made from, and what it is."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.orchestration.dagster_compat.graphql import Workspace

_KIND = "dagster/kind/"


def nodes(loaded: "Workspace") -> dict[str, dict[str, Any]]:
    """By key, such as `marts/fct_household_year`. Raises Unreachable where no code is loaded."""
    graph = loaded.loaded_graph()
    return {key.to_user_string(): _node(graph.get(key)) for key in sorted(graph.get_all_asset_keys())}


def _node(node: Any) -> dict[str, Any]:
    return {
        "upstream": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "description": node.description,
        "kinds": sorted(tag.removeprefix(_KIND) for tag in node.tags if tag.startswith(_KIND)),
        "owners": list(node.owners),
        "partitioned": node.is_partitioned,
    }
