"""tools/check_layers finds what it forbids, names file and line, and lets the rest pass."""

import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/check_layers")
loader = importlib.machinery.SourceFileLoader("check_layers", TOOL)
check_layers = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_layers", loader))
loader.exec_module(check_layers)

CLEAN = {
    "include/topicfs/types.h": "#pragma once\n",
    "src/base/log.h": "#include <topicfs/types.h>\n",
    "src/base/log.cc": '#include "base/log.h"\n#include <spdlog/spdlog.h>\nauto t = std::chrono::system_clock::now();\n',
    "src/io/file.h": '#include "base/log.h"\n',
    "src/codec/crc.h": "",
    "src/record/batch.h": '#include "codec/crc.h"\n',
    "src/record/line_framing.h": "#include <topicfs/types.h>\n",
    "src/pool/chunk.h": '#include "io/file.h"\n',
    "src/wal/writer.h": '#include "pool/chunk.h"\n// system_clock, rand() and <asio.hpp> in comments are words\n',
    "src/object/store.h": "",
    "src/object/s3/s3_store.h": '#include "object/store.h"\n',
    "src/object/open_store.cc": '#include "object/s3/s3_store.h"\n',
    "src/engine/engine.cc": '#include "wal/writer.h"\n#include "object/store.h"\nauto s = "sleep_for rand()";\n',
    "src/fuse/names.cc": '#include "record/line_framing.h"\nvoid f(X x) { x.rand(); operand(1); }\n',
    "src/daemon/main.cc": '#include "wal/writer.h"\n#include "object/s3/s3_store.h"\n',
    "src/ipc/frames.h": "",
    "src/ipc/client.h": '#include "ipc/frames.h"\n#include "io/file.h"\n',
    "src/ipc/server.h": '#include "ipc/frames.h"\n',
    "src/kafka/server/main.cc": '#include "ipc/client.h"\n',
}


def violations(extra):
    with tempfile.TemporaryDirectory(prefix="topicfs-layers-") as root:
        for path, text in {**CLEAN, **extra}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return list(check_layers.violations(root))


class CheckLayers(unittest.TestCase):
    def finds(self, path, text, *words):
        found = violations({path: text})
        self.assertTrue(found, f"nothing found in {path}: {text}")
        for word in words:
            self.assertIn(word, "\n".join(found))
        return found

    def test_a_tree_that_keeps_the_rules_is_clean(self):
        self.assertEqual(violations({}), [])

    def test_an_edge_against_the_table_is_found_with_its_line(self):
        found = self.finds("src/wal/reader.cc", '\n#include "object/store.h"\n', "wal must not see object/store.h")
        self.assertTrue(found[0].startswith("src/wal/reader.cc:2: "), found)
        self.finds("src/object/pack.cc", '#include "wal/writer.h"\n', "object must not see wal/writer.h")
        self.finds("src/base/x.cc", '#include "io/file.h"\n')
        self.finds("src/ctl/x.cc", '#include "engine/e.h"\n')
        self.finds("src/ctl/x.cc", '#include "wal/writer.h"\n')
        self.finds("src/engine/x.cc", '#include "object/s3/s3_store.h"\n')
        self.finds("src/ipc/server_session.cc", '#include "ipc/client.h"\n')
        self.finds("src/fuse/x.cc", '#include "ipc/server.h"\n')
        self.finds("include/topicfs/engine.h", '#include "base/log.h"\n')

    def test_a_leak_through_a_header_is_found(self):
        self.finds("src/record/line_framing.h", '#include "codec/crc.h"\n',
                   "src/fuse/names.cc:1: fuse must not see codec/crc.h (through record/line_framing.h)")

    def test_only_the_named_header_of_a_layer_is_open(self):
        self.finds("src/fuse/x.cc", '#include "record/batch.h"\n', "fuse must not see record/batch.h")

    def test_clocks_sleeps_and_randomness_stay_in_base(self):
        for line in ("auto t = std::chrono::system_clock::now();", "auto t = std::chrono::steady_clock::now();",
                     "::clock_gettime(CLOCK_MONOTONIC, &t);", "std::this_thread::sleep_for(1ms);", "int r = rand();",
                     "std::random_device d;", "std::mt19937 r;", "::getrandom(p, n, 0);", "::usleep(3);", "::sleep(1);"):
            self.finds("src/engine/x.cc", "\n\n" + line + "\n", "src/engine/x.cc:3: ", "only in src/base")

    def test_the_table_names_each_layer_once(self):
        with open(TOOL, encoding="utf-8") as f:
            keys = [line.split('"')[1] for line in f.read().split("SEES = {")[1].split("\n}")[0].splitlines() if '":' in line]
        self.assertEqual(sorted(keys), sorted(check_layers.SEES))

    def test_heavy_headers_stay_out_of_headers(self):
        for name in ("spdlog/spdlog.h", "asio.hpp", "asio/ip/tcp.hpp", "rapidjson/document.h", "curl/curl.h",
                     "fuse_lowlevel.h", "fuse3/fuse_lowlevel.h", "CLI/CLI.hpp", "pugixml.hpp"):
            self.finds("src/wal/x.h", f"#include <{name}>\n", f"<{name}> is heavy")

    def test_a_heavy_header_is_found_through_the_header_that_may_have_it(self):
        found = violations({"src/kafka/server/sockets.h": "#include <asio.hpp>\n"})
        self.assertEqual(found, [])

    def test_mains_are_included_by_nobody(self):
        found = violations({"src/daemon/parts.h": "", "src/fuse/x.cc": '#include "daemon/parts.h"\n'})
        self.assertIn("nothing includes a main", "\n".join(found))

    def test_an_unknown_directory_and_an_unknown_include_are_found(self):
        self.finds("src/wall/x.h", "", "is in no layer")
        self.finds("src/wal/x.h", '#include "writer.h"\n', "does not exist")
        self.finds("src/wal/x.h", '#include "topicfs/types.h"\n', "write <topicfs/...>")


if __name__ == "__main__":
    unittest.main()
