"""The operator's desk for a program that speaks the Model Context Protocol."""
