"""How what Ibid ships was fitted and trained. Nothing imports it."""
