"""A daemon and its gateway that nobody uses sleep: no CPU, no wake-ups."""

import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE / "end_to_end"))
import load  # noqa: E402
import requirements  # noqa: E402
from daemon import Daemon, binary, free_address, scratch  # noqa: E402

WINDOW_S, WINDOWS = 4, 4


def activity(pid):
    """{thread: (times it was switched to, ticks of CPU)}"""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        directory = pathlib.Path(f"/proc/{pid}/task/{thread}")
        switches = [int(line.split()[1]) for line in (directory / "status").read_text().splitlines()
                    if "ctxt_switches" in line]
        fields = (directory / "stat").read_text().rsplit(")", 1)[1].split()
        name = (directory / "comm").read_text().strip()
        found[f"{name} {thread}"] = (sum(switches), int(fields[11]) + int(fields[12]))
    return found


class Idle(unittest.TestCase):
    def test_an_idle_daemon_and_its_gateway_do_not_wake_up(self):
        with scratch("topicfs-idle-") as directory:
            daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", kafka_addr=free_address(),
                            extra=["--offload-interval", "1s"], deadline=120)
            with daemon:
                self.use(daemon)
                self.assertEqual(self.least_active(daemon), {})

    def use(self, daemon):
        """Both doors have been used, and everything was offloaded since."""
        path = daemon.mountpoint / "orders" / "0"
        path.parent.mkdir()
        path.touch()
        with open(path, "ab") as file:
            file.write(b"line\n" * 1000)
            file.flush()
            os.fsync(file.fileno())
        subprocess.run(load.kcat(daemon.kafka_addr, "-P", "-t", "orders", "-p", 0), input=b"produced\n", check=True,
                       timeout=60)

    def least_active(self, daemon):
        """What moved in the quietest window: timers that are hours or minutes apart may fall into one of them."""
        processes = [daemon.pid, *load.gateway_pids(daemon.pid)]
        self.assertEqual(len(processes), 2)
        time.sleep(2)  # for the offload
        quietest = None
        for _ in range(WINDOWS):
            before = [activity(pid) for pid in processes]
            time.sleep(WINDOW_S)  # the very thing that is measured: time in which nothing happens
            after = [activity(pid) for pid in processes]
            moved = {thread: tuple(map(lambda a, b: a - b, now[thread], then.get(thread, (0, 0))))
                     for then, now in zip(before, after) for thread in now if now[thread] != then.get(thread)}
            if quietest is None or len(moved) < len(quietest):
                quietest = moved
            if not moved:
                break
        return quietest


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("kcat")
    unittest.main(verbosity=2)
