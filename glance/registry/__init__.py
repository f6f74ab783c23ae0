"""glance-registry: the DAL served over HTTP, for nodes that hold no credentials of the database.

``rpc`` receives commands; ``native`` carries out the operations of the interface for services, ``classic`` the commands of
former releases for whoever may. May import ``wsgi`` and what is below; knows neither stores nor images as entities.
"""
