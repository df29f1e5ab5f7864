"""Sources that disagree: claims compared by their values, and distinguished by date, region and version."""
