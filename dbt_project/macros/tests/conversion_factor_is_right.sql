{#- Returns the surveys whose conversion factor cannot be used, each with what is wrong with it. -#}
{% test conversion_factor_is_right(model) %}
    select survey_id, country, households, conversion_factor_lcu_to_ppp, conversion_check, conversion_reason
    from {{ model }}
    where conversion_check in ('inconsistent', 'undecided', 'implausible')
    order by survey_id
{% endtest %}
