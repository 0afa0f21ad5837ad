"""Registry records → a published generation.

A query imports none of these modules.

    build           `build_index` and the stages of a build
    staging         the records read so far: the newest of each study, obsolete numbers merged
    distinct_texts  every distinct text, encoded once
    kept_fit        the term weights of an earlier generation, if they still suit
    guards          what must not be published: lost studies, empty fields, moved neighbours
    disk_space      how much disk a build needs
    report          what a build reports
"""
