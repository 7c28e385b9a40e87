"""Networks: the macro skeleton, the network a genotype stands for, and what it costs."""
