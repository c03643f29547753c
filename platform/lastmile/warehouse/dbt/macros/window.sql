{#-
    Partitioned tables are made by window: a run deletes the rows of its partitions and inserts them anew, in one
    transaction. That is the same whether it runs once or twice, and a partition that became empty loses its rows.

    dbt's own strategies do not: `microbatch` on Postgres is a MERGE, which keeps rows gone at the source;
    `delete+insert` keeps the rows of a day that became empty.

    A run's window is given by --event-time-start and --event-time-end (the end not included); without them the window is
    everything. They are read from `invocation_args_dict`: `flags` does not have them and would say "no window".
-#}

{#- The window as [start, end], or none for everything. -#}
{% macro window() %}
    {%- set start = invocation_args_dict.get('event_time_start') -%}
    {%- set end = invocation_args_dict.get('event_time_end') -%}
    {%- if start and flags.FULL_REFRESH -%}
        {{ exceptions.raise_compiler_error(
            "--full-refresh drops every partition, --event-time-start makes only some anew: use one of the two") }}
    {%- endif -%}
    {{ return([start, end] if start else none) }}
{% endmacro %}

{#- The condition that keeps a column of dates within the window. -#}
{% macro in_window(column) -%}
    {%- set window = window() -%}
    {%- if window -%}
        ({{ column }} >= cast('{{ window[0] }}' as date) and {{ column }} < cast('{{ window[1] }}' as date))
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_window_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }} where {{ in_window('partition_start') }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
