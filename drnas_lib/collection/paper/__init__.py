"""The paper's numbers and claims, where ours come from, and the report that sets them side by side. No torch."""
