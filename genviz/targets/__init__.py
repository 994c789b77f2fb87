"""What should fire: the grammar of a target, the names in it, and what the units of one answer."""
