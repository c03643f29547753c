{#-
    Classes of crops by the names that surveys give them; a crop that is not listed is of the class `other`. What is
    eaten by the household, what is sold for its oil, what is grown for sale only: each says something else of a farm.
-#}
{% macro crop_classes() -%}
    {{ return({
        'cereals': [
            'maize', 'corn', 'sorghum', 'sorgham', 'millet', 'rice', 'paddy', 'wheat', 'barley', 'teff',
            'finger_millet', 'pearl_millet', 'fonio', 'oat', 'oats', 'rye', 'triticale', 'buckwheat', 'quinoa',
            'guinea_corn',
        ],
        'roots': [
            'cassava', 'manioc', 'yuca', 'sweet_potato', 'potato', 'irish_potato', 'yam', 'taro', 'cocoyam',
            'enset', 'colocasia', 'arracacha',
        ],
        'legumes': [
            'cowpea', 'cow_pea', 'beans', 'bush_beans', 'climbing_beans', 'beans_bush', 'common_beans',
            'common_bean', 'field_beans', 'pigeon_pea', 'green_gram', 'black_gram', 'pea', 'peas', 'field_pea',
            'field_peas', 'fava_beans', 'faba_bean', 'chickpea', 'lentil', 'lentils', 'soya_bean', 'soybean',
            'soyabean', 'mung_bean', 'bambara_nut', 'bambara_groundnut', 'horse_gram', 'lablab', 'cluster_bean',
            'grass_pea',
        ],
        'oil_crops': [
            'groundnut', 'ground_nuts', 'peanut', 'sesame', 'simsim', 'mustard', 'sunflower', 'rapeseed',
            'niger_seed', 'oil_palm', 'palm_oil', 'coconut', 'coconuts', 'linseed', 'cashew', 'macadamia',
        ],
        'vegetables': [
            'vegetables', 'other_vegetables', 'leafy_greens', 'tomato', 'amaranth', 'okra', 'onion', 'cabbage',
            'eggplant', 'aubergine', 'brinjal', 'pepper', 'chilli', 'chili_pepper', 'chili', 'kales', 'kale',
            'pumpkin', 'pumpkins', 'spinach', 'ash_gourd', 'bottle_gourd', 'bitter_gourd', 'gourd', 'cucumber',
            'carrot', 'garlic', 'black_nightshade', 'spider_weed', 'cauliflower', 'ginger', 'turmeric', 'lettuce',
            'beetroot', 'radish',
        ],
        'fruits': [
            'mango', 'papaya', 'avocado', 'banana', 'plantain', 'orange', 'guava', 'lemon', 'lime', 'jackfruit',
            'pineapple', 'watermelon', 'passion_fruit', 'apple', 'peach', 'pear', 'grape', 'grapes', 'citrus',
        ],
        'cash_crops': [
            'coffee', 'tea', 'cotton', 'tobacco', 'cacao', 'cocoa', 'sugarcane', 'sugar_cane', 'rubber', 'jute',
            'vanilla', 'pepper_black', 'khat', 'chat', 'hops',
        ],
    }) }}
{%- endmacro %}

{% macro crop_class_names() -%}
    {{ return((crop_classes().keys() | list) + ['other']) }}
{%- endmacro %}

{% macro crop_class(crop) -%}
    case
        {% for class, names in crop_classes().items() -%}
            when {{ crop }} in ('{{ names | join("', '") }}') then '{{ class }}'
        {% endfor -%}
        else 'other'
    end
{%- endmacro %}

{#- Crops that more than a household in thirty grows in the surveys of 2015-2019. -#}
{% macro common_crops() -%}
    {{ return([
        'maize', 'cassava', 'sorghum', 'groundnut', 'rice', 'cowpea', 'millet', 'banana', 'sweet_potato', 'wheat',
        'beans', 'tomato', 'potato', 'coffee', 'cotton', 'teff', 'barley', 'sesame',
    ]) }}
{%- endmacro %}

{% macro common_animals() -%}
    {{ return(['cattle', 'goats', 'sheep', 'pigs', 'chicken', 'otherpoultry', 'donkeys_horses', 'rabbits', 'bees']) }}
{%- endmacro %}
