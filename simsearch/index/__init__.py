"""An index on disk: written as generations, opened for reading. Nothing here ranks.

    directory           where an index is looked for, and the layout of its folder
    manifest            what a generation is made of, built with, and built from; the recipe
    generations/        listed, published, rolled back to, pruned
    lock                one process writes, any number read
    opened              a generation open for reading: `opened_index`
    generation_files    the data files of a generation:
        studies             the studies, in SQLite
        faiss_rows          the vectors of the whole texts, searched exactly
        terms/              the term weights, for the lexical signal
        vector_files        the vectors of all fields, written; the random pairs
    verify              checks that all parts belong together

Row n of every data file belongs to the nth study in the order of NCT IDs.
"""
