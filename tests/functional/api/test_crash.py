"""What SIGKILL leaves behind: nothing half-done is visible, nothing is lost, the space comes back."""

import signal
import threading

import psutil
import requests

from tests.functional.api.base import ApiTestCase, Upload, exchange, raw_request, stored_files, uploading, wait_for

TEN = b'0123456789'
MIB = 1 << 20
DATA_ATTRIBUTES = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class CrashTestCase(ApiTestCase):
    """A server of its own for every test: it is killed."""

    @classmethod
    def setUpClass(cls):
        super(ApiTestCase, cls).setUpClass()

    def setUp(self):
        self.server = self.new_server()
        self.server.start()
        super().setUp()

    def await_serving(self):
        wait_for('a worker that answers', self.answers)
        self.client = self.server.client()

    def answers(self):
        try:
            return self.server.client().get('/versions').ok
        except requests.ConnectionError:
            return False

    def worker_of(self, image_id) -> psutil.Process:
        """The process that receives the image."""
        def find():
            for process in psutil.Process(self.server.process.pid).children():
                if any(image_id in file or file.endswith('(deleted)') for file in self.open_files(process)):
                    return process
        return wait_for('a worker with an open file', find)

    def open_files(self, process):
        return [file.path for file in process.open_files() if file.path.startswith(str(self.server.images))]

    def assertAsBefore(self, image_id, kept):
        """The unfinished image is queued without a trace and can be uploaded; the finished ones are whole."""
        wait_for('queued', lambda: self.show(image_id)['status'] == 'queued')
        image = self.show(image_id)
        self.assertEqual([None] * 5, [image[name] for name in DATA_ATTRIBUTES])
        self.assertEqual(sorted(kept), stored_files(self.server.images))
        self.assertStatus(204, self.client.upload(image_id, TEN))
        for each, data in {**kept, image_id: TEN}.items():
            self.assertEqual(data, self.download(each).content)
        self.assertEqual(['active'] * (len(kept) + 1),
                         [image['status'] for image in self.client.get('/v2/images').json()['images']])


class KilledWorker:

    def test_worker_killed_during_an_upload(self):
        kept = self.client.create_image(b'k' * MIB)['id']
        image_id = self.client.create_image()['id']
        upload = uploading(self, image_id, 10 * MIB, first=b'x' * (3 * MIB))
        worker = self.worker_of(image_id)
        worker.kill()
        psutil.wait_procs([worker], timeout=60)
        upload.disconnect()
        self.await_serving()
        self.assertAsBefore(image_id, {kept: b'k' * MIB})
        self.assertNotIn(worker.pid, self.server.workers())
        self.assertEqual(self.WORKERS, wait_for('all workers', lambda: len(self.server.workers()) == self.WORKERS
                                                and self.WORKERS))

    def test_worker_killed_again_and_again(self):
        image_id = self.client.create_image()['id']
        for _ in range(3):
            upload = uploading(self, image_id, None, first=b'x' * MIB)
            worker = self.worker_of(image_id)
            worker.kill()
            psutil.wait_procs([worker], timeout=60)
            upload.disconnect()
            self.await_serving()
            wait_for('queued', lambda: self.show(image_id)['status'] == 'queued')
        self.assertAsBefore(image_id, {})


class TestOneWorker(KilledWorker, CrashTestCase):
    WORKERS = 1


class TestTwoWorkers(KilledWorker, CrashTestCase):
    WORKERS = 2

    def test_the_other_upload_goes_on(self):
        uploads = {}
        first = self.client.create_image()['id']
        uploads[first] = uploading(self, first, 2 * 65536)
        killed = self.worker_of(first)
        for _ in range(50):
            other = self.client.create_image()['id']
            uploads[other] = uploading(self, other, 2 * 65536)
            if any(other in file for process in psutil.Process(self.server.process.pid).children() if process != killed
                   for file in self.open_files(process)) or self.busy_besides(killed):
                break
        else:
            self.fail('one worker took every connection')
        killed.kill()
        psutil.wait_procs([killed], timeout=60)
        self.client = self.server.client()
        statuses = []
        for image_id, upload in uploads.items():
            try:
                upload.send(b'y' * 65536)
                statuses.append(upload.finish().status)
                self.assertEqual(b'x' * 65536 + b'y' * 65536, self.download(image_id).content)
            except OSError:
                wait_for('queued', lambda image_id=image_id: self.show(image_id)['status'] == 'queued')
        self.assertIn(204, statuses)
        self.assertEqual({204}, set(statuses))

    def busy_besides(self, killed):
        return any(self.open_files(process) for process in psutil.Process(self.server.process.pid).children()
                   if process != killed)

    def test_two_workers_race_for_one_image(self):
        """Of uploads to one image at once, on several connections, exactly one succeeds."""
        for _ in range(10):
            image_id = self.client.create_image()['id']
            uploads = [Upload(self.server, image_id, MIB) for _ in range(4)]
            results = []

            def send(letter, upload, results=results):
                try:
                    upload.send(letter * MIB)
                    results.append((upload.response().status, letter))
                except OSError:
                    results.append((None, letter))

            threads = [threading.Thread(target=send, args=pair) for pair in zip((b'a', b'b', b'c', b'd'), uploads, strict=True)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            winners = [letter for status, letter in results if status == 204]
            self.assertEqual(1, len(winners), results)
            self.assertEqual({204, 409}, {status for status, _ in results})
            self.assertEqual(winners[0] * MIB, self.download(image_id).content)


class TestWholeService(CrashTestCase):
    WORKERS = 2

    def start_again(self):
        self.server.port = None  # in the meantime somebody else may have taken the old one
        self.server.launch()
        self.await_serving()

    def kill_everything(self):
        processes = [psutil.Process(self.server.process.pid), *psutil.Process(self.server.process.pid).children()]
        for process in processes:
            process.kill()
        self.server.stop(signal.SIGKILL)
        wait_for('all processes gone', lambda: not any(alive(process) for process in processes))

    def test_killed_during_uploads_and_started_again(self):
        kept = self.client.create_image(b'k' * MIB)['id']
        image_id, deleted = self.client.create_image()['id'], self.client.create_image(b'd')['id']
        upload = uploading(self, image_id, None, first=b'x' * (2 * MIB))
        self.assertStatus(204, self.client.delete(f'/v2/images/{deleted}'))
        self.kill_everything()
        upload.disconnect()
        self.start_again()
        self.assertAsBefore(image_id, {kept: b'k' * MIB})

    def test_an_answer_of_204_is_durable(self):
        images = {}
        for number in range(5):
            data = bytes([number]) * (300_000 + number)
            image_id = self.client.create_image()['id']
            response = exchange(self.server.port, raw_request(
                'PUT', f'/v2/images/{image_id}/file', {'Content-Type': 'application/octet-stream'}, data))
            self.assertEqual(204, response.status)
            images[image_id] = data
        self.kill_everything()
        self.start_again()
        for image_id, data in images.items():
            self.assertEqual('active', self.show(image_id)['status'])
            self.assertEqual(data, self.download(image_id).content)
