"""The texts of a study, and what turns them into vectors."""
