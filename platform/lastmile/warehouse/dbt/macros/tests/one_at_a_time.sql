{#- Of rows with the same keys one holds at a time: returns those that begin before the one before them ended. -#}
{% test one_at_a_time(model, keys, from, to) %}
    select * from (
        select
            *,
            lag({{ to }}) over (partition by {{ keys | join(', ') }} order by {{ from }}) as ended_before,
            row_number() over (partition by {{ keys | join(', ') }} order by {{ from }}) as version_number
        from {{ model }}
    ) as version
    where version_number > 1 and (ended_before is null or ended_before > {{ from }})
{% endtest %}
