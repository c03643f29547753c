"""Levels by country and year, as Parquet, for those who plan with them."""

from lastmile.operations.exports import Export

export = Export(
    name="country_years",
    description="Households, levels and incomes by country and year; nothing of a single household.",
    owner="team:analytics",
    source="marts.summary_country_year",
    window="survey_year",
)
