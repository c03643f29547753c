"""Discovery of drops: by listing the landing area, and by notifications in between."""
