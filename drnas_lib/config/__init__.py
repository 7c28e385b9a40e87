"""The parameters of the notebooks: read, checked, and completed to settings by protocol, method and scale. No torch."""
