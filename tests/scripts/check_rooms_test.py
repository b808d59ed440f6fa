#!/usr/bin/env python3
"""Tests scripts/check-rooms on small made-up trees."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/check-rooms"


class CheckRooms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("include/vsr/base/error.hpp", "#include <string>\n")
        self.write("include/vsr/gpu/device.hpp", "#include \"vsr/base/error.hpp\"\n")
        self.write("src/gpu/private.hpp", "")

    def write(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def check(self):
        return subprocess.run([sys.executable, str(SCRIPT), str(self.root)],
                              stdout=subprocess.PIPE, text=True, timeout=60)

    def assert_breach(self, text):
        result = self.check()
        self.assertEqual(result.returncode, 1)
        self.assertIn(text, result.stdout)
        self.assertIn(" 1 breaches", result.stdout)

    def test_order_kept(self):
        self.write("src/gpu/device.cpp",
                   '#include "private.hpp"\n#include "vsr/gpu/device.hpp"\n#include <cuda_runtime.h>\n')
        self.write("src/kernels/warp.cpp", '#include "vsr/gpu/device.hpp"\n#include <sys/stat.h>\n')
        result = self.check()
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_room_to_the_right(self):
        self.write("src/media/source.cpp", '#include "vsr/gpu/device.hpp"\n')
        self.assert_breach("src/media/source.cpp:1: media may not include gpu")

    def test_private_header_of_another_room(self):
        self.write("src/kernels/warp.cpp", '#include "gpu/private.hpp"\n')
        self.assert_breach("is no private header of kernels")

    def test_private_header_by_way_of_the_parent_folder(self):
        self.write("src/kernels/warp.cpp", '#include "../gpu/private.hpp"\n')
        self.assert_breach("is outside of its room")

    def test_third_party_header_behind_another_door(self):
        self.write("src/gpu/device.cpp", "#include <mpi.h>\n")
        self.assert_breach("<mpi.h> is for cluster only")

    def test_third_party_header_in_a_public_one(self):
        self.write("include/vsr/media/source.hpp", "#include <libavutil/frame.h>\n")
        self.assert_breach("a public header may not include <libavutil/frame.h>")

    def test_unknown_room(self):
        self.write("src/attic/old.cpp", "\n")
        self.assert_breach("room attic is not in the table")


if __name__ == "__main__":
    unittest.main()
