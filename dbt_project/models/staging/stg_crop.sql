select
    hhid,
    _partition_start as partition_start,
    {{ normal_name('name') }} as crop,
    land_area_ha,
    prop_land_area as land_share,
    intercrop,
    crop_residue_use as residue_uses
from {{ source('raw', 'crop') }}
