"""Models that dbt parses and that cannot be assets here, each with the reason; what is made from them cannot either."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.orchestration.dbt.translator import Manifest, Node, asset_key
from lastmile.project import Project

MATERIALIZED = ("view", "table", "incremental", "snapshot")
_FOLDERS = ("staging", "intermediate", "marts")
_MADE = ("model.", "snapshot.")


def unusable_models(manifest: Manifest, contracts: Mapping[str, Contract]) -> dict[str, str]:
    """Why each model that cannot be an asset cannot, by its unique id."""
    models = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "snapshot")]
    keys = [asset_key(node) for node in models if _is_in_a_layer(node)]
    faults = {}
    for node in models:
        if why := _fault(manifest, contracts, node):
            faults[node["unique_id"]] = why
        elif keys.count(asset_key(node)) > 1:
            faults[node["unique_id"]] = "another model in a folder of that name is called the same; rename one"
    return faults


def with_descendants(manifest: Manifest, names: Collection[str]) -> set[str]:
    """These models, and all that are made from them, however indirectly."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += [child for child in manifest["child_map"].get(here, []) if child.startswith(_MADE)]
    return found


def broken_model(manifest: Manifest, name: str, why: str) -> Broken:
    below = sorted(child.rsplit(".", 1)[-1] for child in with_descendants(manifest, [name]) - {name})
    then = f"; what is made from it is left out too: {', '.join(below)}" if below else ""
    file = Path(Project.current().dbt_project.name) / manifest["nodes"][name]["original_file_path"]
    return Broken("dbt model", str(file), f"{why}{then}")


def upstream(manifest: Manifest, name: str, kind: str) -> Iterator[str]:
    """Unique ids of everything of a kind that a node is made from, however far up."""
    for parent in manifest["parent_map"].get(name, []):
        if parent.startswith(f"{kind}."):
            yield parent
        yield from upstream(manifest, parent, kind)


def _is_in_a_layer(node: Node) -> bool:
    parts = Path(node["original_file_path"]).parts
    return len(parts) > 1 and (parts[0] != "models" or len(parts) > 2)


def _fault(manifest: Manifest, contracts: Mapping[str, Contract], node: Node) -> str | None:
    kind = node["config"]["materialized"]
    if kind == "ephemeral":
        return None
    if kind not in MATERIALIZED:
        return f"it is materialized as {kind!r}; expected one of {', '.join(MATERIALIZED)}"
    if not _is_in_a_layer(node):
        return f"expected a folder of its layer ({', '.join(_FOLDERS)}) below models; move it there"
    read = {manifest["sources"][source]["name"] for source in upstream(manifest, node["unique_id"], "source")}
    if kind == "incremental" and not read:
        return "it is made by partition and reads no dataset: materialize it as a table, or give it a ref or a source"
    if kind == "incremental" and (absent := sorted(read - set(contracts))):
        return f"it is made by partition of {', '.join(absent)}, whose contract cannot be used"
    return None
