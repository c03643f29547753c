"""Alerts: from what is wrong to the one message that says so, and the one that says it is over."""
