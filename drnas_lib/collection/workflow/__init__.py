"""The commands behind `make laptop`, `make paper` and the README's tables."""
