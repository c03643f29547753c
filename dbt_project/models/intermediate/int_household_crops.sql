-- Areas and uses of stalks and straw were asked of the main crops only, so they are unknown of the others.

with crop as (
    select
        *,
        {{ crop_class('crop') }} as crop_class
    from {{ ref('stg_crop') }}
    where {{ in_window('partition_start') }}
)

select
    hhid,
    partition_start,
    cast(count(distinct crop) as integer) as crop_count,
    {% for class in crop_class_names() -%}
        cast(count(distinct case when crop_class = '{{ class }}' then crop end) as integer) as crops_{{ class }},
        sum(case when crop_class = '{{ class }}' then land_area_ha end) as area_{{ class }}_ha,
        sum(case when crop_class = '{{ class }}' then land_share end) as share_{{ class }},
    {% endfor -%}
    {% for name in common_crops() -%}
        max(case when crop = '{{ name }}' then 1 else 0 end) as grows_{{ name }},
    {% endfor -%}
    {% for use in ['soil', 'feed', 'burn', 'compost', 'fuel'] -%}
        cast(avg(
            case when residue_uses like '%{{ use }}%' then 1 when residue_uses is not null then 0 end
        ) as double precision) as residues_{{ use }},
    {% endfor -%}
    cast(avg(case when intercrop = 'monoculture' then 0 when intercrop is not null then 1 end) as double precision)
        as intercropped,
    cast(count(land_area_ha) as integer) as crops_with_area
from crop
group by hhid, partition_start
