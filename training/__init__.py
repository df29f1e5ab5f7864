"""Training and fitting of everything that Ibid ships. Nothing imports it."""
