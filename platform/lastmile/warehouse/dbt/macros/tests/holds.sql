{#- The condition is true of every row, or null where a part of it is missing: returns the rows of which it is false. -#}
{% test holds(model, condition) %}
    select * from {{ model }} where not ({{ condition }})
{% endtest %}
