"""Making windows anew of a range of days, from the events that were landed, while the stream goes on."""
