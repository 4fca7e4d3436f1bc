"""The executable simulation, one module a domain; a module is imported by the name of its domain."""
