"""Runs on several processes: how torchrun or a notebook starts them."""
