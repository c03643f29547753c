"""Fetching from REST APIs: requests that are tried again, authentication, pages, records as they were sent."""
