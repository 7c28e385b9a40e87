"""How fast a search is: against a plain implementation, several at once, and against what the device can do."""
