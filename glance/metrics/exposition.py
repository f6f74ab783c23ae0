"""The numbers as text, in OpenMetrics or, for clients that do not ask for that, in the older format of Prometheus."""
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, core
from prometheus_client.exposition import choose_encoder

from glance.metrics import names
from glance.metrics.shared import Key, read

_KINDS = {'counter': core.CounterMetricFamily, 'gauge': core.GaugeMetricFamily}


class Page:
    """All metrics of a service.

    :param folder: where its processes keep their numbers
    :param version: of the program
    :param backlog: returns how many images wait to be scrubbed, None when that cannot be told now
    """

    def __init__(self, folder: str, version: str, backlog: Callable[[], int | None]):
        self._folder, self._version, self._backlog = folder, version, backlog
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return text and media type as a client wants it that sent this ``Accept`` header."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type

    def describe(self) -> tuple[()]:
        """Nothing is collected when the page is made."""
        return ()

    def collect(self) -> Iterator[core.Metric]:
        """Read everybody's numbers."""
        sums, alive = read(self._folder, names.MOMENTARY)
        for family in names.FAMILIES:
            metric = _KINDS[family.kind](family.name, family.help, labels=family.labels)
            for key in sorted(key for key in sums if key[0] == family.name):
                metric.add_metric(key[1:], sums[key])
            yield metric
        for family in names.DURATIONS:
            yield _durations(family, sums)
        yield core.GaugeMetricFamily('glance_workers', 'Processes that serve requests.', alive)
        yield core.InfoMetricFamily('glance_build', 'The version of the service.', {'version': self._version})
        waiting = self._backlog()
        if waiting is not None:
            yield core.GaugeMetricFamily('glance_scrub_backlog_images', 'Images in status pending_delete, whose data is '
                                         'still to be deleted.', waiting)


def _durations(family: names.Family, sums: dict[Key, float]) -> core.HistogramMetricFamily:
    metric = core.HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for key in sorted(key for key in sums if key[0] == family.name):
        buckets, count = [], 0.0
        for text in names.BUCKET_TEXTS:
            count += sums.get((family.name + names.BUCKET, *key[1:], text), 0.0)
            buckets.append((text, count))
        metric.add_metric(key[1:], buckets, sums[key])
    return metric
