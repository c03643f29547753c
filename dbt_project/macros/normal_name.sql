{#- One spelling per name: lower case, words joined by `_`; empty is null. -#}
{% macro normal_name(column) -%}
    nullif(trim(both '_' from regexp_replace(lower({{ column }}), '[^[:alnum:]]+', '_', 'g')), '')
{%- endmacro %}
