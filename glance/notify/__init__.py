"""What the service tells other services: the payloads of events, and their way to the message bus.

May import the domain, the record types of the DAL and the configuration; oslo.messaging only once a driver is configured.
Must not know who asks, nor when an event is due: that is decided in ``glance.layers.notification``.
"""
