"""How fast a search is: against a plain implementation, in company, and against what the device can do."""
