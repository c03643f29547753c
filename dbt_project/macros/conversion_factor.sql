{#-
    Factors of one country's surveys lie within a factor of two of each other, or three orders of magnitude apart where
    one of them is off by a thousand. Halfway between, on the scale of powers of ten, a factor is nearer to wrong than to
    right: surveys agree while they differ by less than the square root of a thousand, 31.6.
-#}
{% macro agreement_in_powers_of_ten() -%} 1.5 {%- endmacro %}

{#-
    A published factor is that of the year itself, so a factor may differ by less: by the square root of ten, 3.16. Of the
    77 real surveys of 2015-2019 six are off by more than 4, and the others by less than a third.
-#}
{% macro agreement_with_published() -%} 0.5 {%- endmacro %}

{#- No currency buys so little: the weakest known factor is that of the Iranian rial, near 120,000. -#}
{% macro highest_conversion_factor() -%} 200000 {%- endmacro %}

{#-
    What half of a survey's households can have at most and at least (PPP$/person/day). The medians of 72 real surveys of
    2015-2019 with a right factor, of five households and more, lie between 0.07 and 12; that of the one in another unit
    is 121. Fewer than five households show nothing where the factor is as published.
-#}
{% macro highest_median_value() -%} 50 {%- endmacro %}
{% macro lowest_median_value() -%} 0.01 {%- endmacro %}
{% macro fewest_households_to_judge() -%} 5 {%- endmacro %}
