"""The household interview as it is made with ODK or KoboToolbox: the household, its crops and its animals."""

from lastmile.contracts import Form

form = Form(
    name="household",
    dataset="hhinfo",
    description="The household interview; a repeat for the crops that were grown, one for the animals kept.",
    owner="team:field-data",
    repeats={"crop_repeat": "crop", "lstk_repeat": "lstk"},
    inherit=("hhid", "id_form"),
    partition="year",
    points={"gps": ("gps_lat", "gps_lon")},
)
