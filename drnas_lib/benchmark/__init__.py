"""NAS-Bench-201 as a table: looked up, made from the official files, and searched by queries."""
