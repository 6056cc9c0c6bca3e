"""What a manager asks after a week: what was attacked, what was stopped, how soon, and whom to
look after. `figures` counts, `terminal` and `html` show."""
