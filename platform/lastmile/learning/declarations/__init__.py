"""What a person declares to learn something: a feature set, a model, a report; each in one file."""
