"""Studies of mixers: many short trainings, equal but for what is compared."""
