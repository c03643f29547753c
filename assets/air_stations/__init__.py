"""Air quality: what stations measure, hour by hour, made for the shape of the Beijing multi-site set."""
