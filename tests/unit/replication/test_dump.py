import tempfile
import unittest
import uuid

from glance.replication.dump import Dump


class DumpTest(unittest.TestCase):

    def test_the_largest_records_can_be_read_again(self):
        image = {'id': str(uuid.uuid4()), 'status': 'active', **{'property_%d' % number: 'x' * 65535 for number in range(128)}}
        with tempfile.TemporaryDirectory() as folder:
            dump = Dump(folder)
            dump.write_record(image)
            self.assertEqual(image, dump.read_record(image['id']))
