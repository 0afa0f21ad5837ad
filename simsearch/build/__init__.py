"""Registry records → a published generation.

A query imports none of these modules.

    build           `build_index` and the stages of a build
    staging         the records read so far: the newest of each study, obsolete numbers merged
    distinct_texts  every distinct text, encoded once
    kept            what is taken over from the current generation: fit, level of details
    guards          what must not be published: lost studies, empty fields, moved neighbours
    disk_space      how much disk a build needs
    report          what a build reports
"""
