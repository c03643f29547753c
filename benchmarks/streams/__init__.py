"""What the section `streams` is made of: events, a broker of their own, and programs that make windows of them."""
