"""One question with all that is known of it: texts, traces, attempts, evidence, neighbours, its fate in every run."""
