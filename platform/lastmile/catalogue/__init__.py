"""What is declared, as plain data: for processes that do not import the declarations, pandas or pandera."""

from lastmile.catalogue.entries import (
    Catalogue,
    Dataset,
    DatasetColumn,
    FeatureSetEntry,
    FormEntry,
    Input,
    ModelEntry,
    Relation,
)

__all__ = ["Catalogue", "Dataset", "DatasetColumn", "FeatureSetEntry", "FormEntry", "Input", "ModelEntry", "Relation"]
