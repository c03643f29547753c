{#-
    What Postgres writes in its own way. Everything else in the project is standard SQL: for another warehouse it is these
    macros that need a second implementation, `<adapter>__<name>`, which dbt then picks by itself.
-#}

{#- One spelling per name: lower case, words joined by `_`; empty is null. -#}
{% macro normal_name(column) -%}
    {{ return(adapter.dispatch('normal_name')(column)) }}
{%- endmacro %}

{% macro postgres__normal_name(column) -%}
    nullif(trim(both '_' from regexp_replace(lower({{ column }}), '[^[:alnum:]]+', '_', 'g')), '')
{%- endmacro %}

{#- A number as a person writes it, to four significant digits: 0.6157, 869.4, 239000. -#}
{% macro readable_number(number) -%}
    {{ return(adapter.dispatch('readable_number')(number)) }}
{%- endmacro %}

{% macro postgres__readable_number(number) -%}
    cast(trim_scale(
        round(cast({{ number }} as numeric), greatest(0, 3 - cast(floor(log(abs(nullif({{ number }}, 0)))) as integer)))
    ) as text)
{%- endmacro %}

{#- Logarithm to the base of ten. -#}
{% macro power_of_ten(number) -%}
    {{ return(adapter.dispatch('power_of_ten')(number)) }}
{%- endmacro %}

{% macro postgres__power_of_ten(number) -%}
    log({{ number }})
{%- endmacro %}

{#- Whether the condition is true of any row of a group or window. -#}
{% macro any_row(condition) -%}
    {{ return(adapter.dispatch('any_row')(condition)) }}
{%- endmacro %}

{% macro postgres__any_row(condition) -%}
    bool_or({{ condition }})
{%- endmacro %}

{#- The texts of a group's rows, with a comma between them, in the order of a column; null is left out. -#}
{% macro listed(text, order) -%}
    {{ return(adapter.dispatch('listed')(text, order)) }}
{%- endmacro %}

{% macro postgres__listed(text, order) -%}
    string_agg({{ text }}, ', ' order by {{ order }})
{%- endmacro %}

{#-
    Held until the transaction ends, and acquired before the source is read: of two runs at once the second waits, then sees
    what the first wrote. Without it both would delete, then both insert.
-#}
{% macro lock_table(relation) -%}
    {{ return(adapter.dispatch('lock_table')(relation)) }}
{%- endmacro %}

{% macro postgres__lock_table(relation) -%}
    select pg_advisory_xact_lock(hashtextextended('{{ relation }}', 0))
{%- endmacro %}

{#- A table of the days from the first to the last, in its column `day`. -#}
{% macro days(first, last) -%}
    {{ return(adapter.dispatch('days')(first, last)) }}
{%- endmacro %}

{% macro postgres__days(first, last) -%}
    (
        select cast(moment as date) as day
        from generate_series(cast('{{ first }}' as timestamp), cast('{{ last }}' as timestamp), interval '1 day') as moment
    ) as calendar
{%- endmacro %}
