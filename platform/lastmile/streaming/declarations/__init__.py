"""What a person declares of a stream: topic and contract, what is done with its events, the windows made of them."""
