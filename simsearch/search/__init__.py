"""One question, one answer: which studies are most like what is asked about, and why."""
