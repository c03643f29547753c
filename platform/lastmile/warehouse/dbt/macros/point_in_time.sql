{#-
    What was known at a moment, and not later: features joined by these two macros hold nothing that came after the label
    they are to predict.
-#}

{#- The condition that keeps the versions which held at a moment: from `known_from`, it included, to `known_to`, it not. -#}
{% macro known_at(moment, known_from='known_from', known_to='known_to') -%}
    ({{ known_from }} <= {{ moment }} and ({{ known_to }} > {{ moment }} or {{ known_to }} is null))
{%- endmacro %}

{#-
    Each row of `spine` with the `columns` of the latest row of `facts` that has the same `keys` and is not later than the
    row of the spine: a query. Null where there is none, or, with `within`, an interval such as '90 days', none so recent.
    Of several facts at the same moment the last by `then_by` counts.

    Every row of the spine comes out once, so it needs no key of its own. The facts become intervals first, which a
    database can join by hashing the keys.
-#}
{% macro point_in_time_join(spine, facts, keys, at, known_from, columns, then_by=none, within=none) -%}
    select
        spine.*,
        {% for column in columns %}fact.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ spine }} as spine
    left join (
        select
            *,
            lead({{ known_from }}) over (
                partition by {{ keys | join(', ') }}
                order by {{ known_from }}{{ ', ' ~ then_by if then_by }}
            ) as _known_to
        from {{ facts }}
    ) as fact
        on
            {% for key in keys %}fact.{{ key }} = spine.{{ key }} and {% endfor %}
            {{ known_at('spine.' ~ at, 'fact.' ~ known_from, 'fact._known_to') }}
            {% if within %}and fact.{{ known_from }} > spine.{{ at }} - interval '{{ within }}'{% endif %}
{%- endmacro %}
