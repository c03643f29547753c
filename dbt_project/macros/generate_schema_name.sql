{#- The layer is the schema in production; any other target puts its own schema's name before it. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set layer = custom_schema_name | default(target.schema, true) | trim -%}
    {{ layer if target.name == 'prod' else target.schema ~ '_' ~ layer }}
{%- endmacro %}
