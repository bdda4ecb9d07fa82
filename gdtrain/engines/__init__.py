"""How epochs are computed: objective and optimizer to history."""
