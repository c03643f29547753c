"""What is known of a relation's columns: type, unit, meaning, and whether they are personal."""

from pydantic import BaseModel, Field

from lastmile.catalogue import Catalogue
from lastmile.serving.reading.layers import Layer
from lastmile.warehouse.reading import Relation


class Described(BaseModel):
    name: str
    type: str
    unit: str | None
    description: str
    personal: bool = Field(description="masked for roles that may not see it")


def described(catalogue: Catalogue, relation: Relation, layer: Layer, table: str) -> dict[str, Described]:
    """By column. What the layer's declaration says comes before the comment in the database."""
    units, texts = _declared(catalogue, layer, table)
    return {
        name: Described(
            name=name,
            type=one.type,
            unit=units.get(name),
            description=texts.get(name) or one.description,
            personal=name in catalogue.personal,
        )
        for name, one in relation.columns.items()
    }


def _declared(catalogue: Catalogue, layer: Layer, table: str) -> tuple[dict[str, str | None], dict[str, str]]:
    if layer == "cleaned":
        columns = catalogue.datasets[table].columns
        return {one.name: one.unit for one in columns}, {one.name: one.description for one in columns}
    if layer in ("features", "online"):
        inputs = catalogue.feature_sets[table].inputs
        return {one.name: one.unit for one in inputs}, {one.name: one.description for one in inputs}
    if found := catalogue.relations.get(f"{layer}.{table}"):
        return {}, {one.name: one.description for one in found.columns}
    return {}, {}
