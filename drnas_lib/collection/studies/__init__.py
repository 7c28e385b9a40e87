"""The studies behind the paper's tables and figures: what they run and what they compute."""
