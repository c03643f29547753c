"""Schemas of messages: contracts published as such, what a change of one breaks, and the registry that has them."""
