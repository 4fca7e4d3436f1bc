"""iTool: one folder a phase, named after its DVC stage, and the common rooms that they share."""
