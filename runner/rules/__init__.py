"""Pure rules: schedules, ages and names. No I/O, no clock."""
