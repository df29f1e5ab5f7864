"""Where sources differ: claims compared by their values, and told apart by date, region and version."""
