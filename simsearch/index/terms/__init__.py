"""The lexical signal: the cosine of BM25 term weights, which finds a rare name by its letters.

A study is a unit row of the weights of its most informative terms; the same weights arranged by
term (*postings*) give the signal of a query with every study.

    words       what a term is
    weights     BM25, and rows of term weights
    arrays      the files of a generation
    fit         at build: terms are counted (scikit-learn) and weighted, the arrays written
    lookup      at query: the arrays are opened, memory-mapped, and looked up, without scipy
"""

from simsearch.index.terms.arrays import LEXICAL_FILES
from simsearch.index.terms.fit import Fit, read_fit, write_lexical
from simsearch.index.terms.lookup import LexicalIndex, open_lexical_index
from simsearch.index.terms.weights import MAX_TERMS, NO_TERMS, TermWeights, combined, products
from simsearch.index.terms.words import TERMS_VERSION, terms_of

__all__ = [
    "LEXICAL_FILES",
    "MAX_TERMS",
    "NO_TERMS",
    "TERMS_VERSION",
    "Fit",
    "LexicalIndex",
    "TermWeights",
    "combined",
    "open_lexical_index",
    "products",
    "read_fit",
    "terms_of",
    "write_lexical",
]
