"""The indexes that follow the catalogue: by meaning and by words."""
