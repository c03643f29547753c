{#-
    Factors of one country's surveys lie within a factor of two of each other, or three orders of magnitude apart where
    one of them is off by a thousand. Halfway between, on the scale of powers of ten, a factor is nearer to wrong than to
    right: surveys agree while they differ by less than the square root of a thousand, 31.6.
-#}
{% macro agreement_in_powers_of_ten() -%} 1.5 {%- endmacro %}

{#- No currency buys so little: the weakest known factor is that of the Iranian rial, near 50,000. -#}
{% macro highest_conversion_factor() -%} 100000 {%- endmacro %}
