"""Records: the database abstraction layer (DAL).

``interface`` defines every operation once; ``sqlalchemy``, ``memory`` (and later ``remote``) implement it and pass the
same conformance suite. A DAL takes and returns plain records and owns its transactions, one per operation. It may import
``exceptions`` and ``conf``; it knows nothing of HTTP, policy, stores or the domain's entities.
"""
