"""The related list of every study, in one file.

    run             computes, resumes and writes: `related`
    batch_search    the lists of a batch of studies, as single queries would find them
    candidates      the candidates of a batch
    coarse_int8     the studies nearest by text, approximately
    pair_scores     similarities of pairs of studies
    lists           lists in memory
    journal         finished batches on disk, from which a killed run is resumed
    tables, files   the rows of a file, and its formats
    memory          how many batches at once, and which k

docs/related.md describes the files.
"""
