"""Stock in the shop's database, change by change; off until its address is given."""

from lastmile.sources import Changes, Setting

source = Changes(
    name="retail_stock",
    dataset="retail_stock",
    description="Changes of the stock in the shop's database.",
    owner="team:shop",
    url=Setting("LASTMILE_SOURCE_RETAIL_DATABASE"),
    table="public.stock",
    starts_running=False,
)
