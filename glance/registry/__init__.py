"""glance-registry: the DAL served over HTTP, for nodes that hold no credentials of the database.

``rpc`` receives commands; ``native`` checks who may send them and carries out the operations of the interface. May import
``wsgi`` and what is below; knows neither stores nor images as entities.
"""
