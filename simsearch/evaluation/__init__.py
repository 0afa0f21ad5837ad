"""How good the ranking is: judged sets, measures, baselines, and figures without judgements."""
