"""What happens around a verb on images: one concern a module, each a layer over the next.

A layer overrides the verbs it cares about; checks stand before ``inner``, consequences after. The order of the layers is
``glance.gateway``'s. Layers raise domain errors; they know nothing of HTTP.
"""
