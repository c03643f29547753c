"""What the sections `stream_peers` and `stream_commits` are made of: events, a broker of their own, and programs that make windows of them."""
