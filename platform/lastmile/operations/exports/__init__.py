"""Exports: relations of the warehouse kept the same in external systems, as files of a store or a table of a Postgres.

    export = Export(
        name="household_years",
        description="Households by year, for the ministry's own statistics.",
        owner="team:analytics",
        source="marts.fct_household_year",
        window="survey_year",
        to="ministry",                        # a target of LASTMILE_EXPORT_TARGETS; without it the platform's own store
    )

in a file of a domain's `exports/`. What changed since is exported, window by window: also late, corrected and removed
rows, because a window whose rows are not what they were is replaced as a whole.
"""

from lastmile.operations.exports.declaration import Export
from lastmile.operations.schedule import Schedule

__all__ = ["Export", "Schedule"]
