"""glance-registry and the nodes that keep their records there, as real daemons.

``test_rpc`` speaks the protocol to a registry, ``test_classic`` its older version, ``test_client`` has the client meet all
kinds of peers, ``test_bad_states`` has a whole installation lose and find its registry, ``test_tls`` encrypts, and
``test_api`` runs tests of the image API on a node without a database.
"""
