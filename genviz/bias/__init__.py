"""A report on a class: its picture, its filters, and what else the network takes for a part of it."""
