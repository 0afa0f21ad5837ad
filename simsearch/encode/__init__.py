"""Texts of a study → vectors.

Importing any of these modules is cheap: torch is imported when a model is loaded.

    fields        the texts that represent a study
    encoders      models run by sentence-transformers, and the `Encoder` protocol
    loading       a model of sentence-transformers and its fingerprint
    model_folder  the folder of a model: its settings, and what it lacks
    minilm        the packaged model in plain numpy, for queries
    openvino      another runtime for a model
    batches       texts in batches, each by one thread, on all cores
    dask          encoding on several machines
    space         what determines the vectors of an encoder
    cache         an encoder that keeps its vectors in a cache
    vector_cache  the cache: vectors by space and text
    cache_file    the SQLite file of the cache, which may fail without harm
    threads       a limit on the threads of numpy
"""
