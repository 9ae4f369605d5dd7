"""How a function that may be anything is called: found by trying, on the CPU, and kept from harming anybody."""
