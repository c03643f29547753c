"""The door: who is it, may they, how often, how much; and what every answer has."""
