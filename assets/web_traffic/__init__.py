"""Visits of a web site: the access log of its server, and what its pages say themselves."""
