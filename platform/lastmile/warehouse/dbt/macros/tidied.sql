{#- A text with single blanks between its words and none around it; empty is null. -#}
{% macro tidied(column) -%}
    {{ return(adapter.dispatch('tidied')(column)) }}
{%- endmacro %}

{% macro postgres__tidied(column) -%}
    nullif(trim(regexp_replace({{ column }}, '\s+', ' ', 'g')), '')
{%- endmacro %}
