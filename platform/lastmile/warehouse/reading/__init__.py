"""Rows of any table or view for those who only look: selected, filtered, sorted, page by page or as a stream.

Names come from pg_catalog and are quoted; values are literals in the column's type. What a reader may not see is never
selected: the expression of a column (`Selection.columns`) decides what is shown of it.
"""

from lastmile.warehouse.reading.relations import Column, Relation, Selection, find

__all__ = ["Column", "Relation", "Selection", "find"]
