"""First declarations from what a topic holds: the contract of its events, and the stream that reads them."""
