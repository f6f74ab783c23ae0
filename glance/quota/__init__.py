"""How much an owner may have, and how a refusal is worded: ``user_storage_quota``, or the unified limits of Keystone.

``base`` says what both have in common. Numbers go in and out in the units of records (bytes, images). It may import ``db``'s
interface and ``exceptions``; it counts nothing itself and knows nothing of HTTP or of what is being charged.
"""
