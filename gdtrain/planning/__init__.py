"""What will be descended and how: the choices that an experiment leaves open are made here."""
