"""Forms whose submissions arrive over HTTP."""
