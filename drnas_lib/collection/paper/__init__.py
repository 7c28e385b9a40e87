"""The paper's numbers and claims, where ours come from, and the report that sets them side by side. No torch.

numbers    what the paper prints            measured   ours, found in finished runs     answers   which runs answer which number
verdicts   ours beside the paper's          claims     statements, as tests of runs     commands  the papermill lines that make more
missing    which lines to run first         estimates  minutes of a line                report    all of it, as tables and as text
"""
