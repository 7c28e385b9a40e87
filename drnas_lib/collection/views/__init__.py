"""Tables, figures and live displays of the notebooks."""
