{#- The layer is the schema in production. Any other target has one schema for everything: its own. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim if target.name == 'prod' else target.schema }}
{%- endmacro %}
