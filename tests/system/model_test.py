"""The embedded model beats a bicubic filter on real film that it was not trained on, through the whole job."""

import re
import unittest

from film_support import CLIP, FilmTest, run

REDUCED = "320:176:0:2"  # x4 of whole pictures: the clip less four lines


class EmbeddedModel(FilmTest):
    def psnr(self, one, *filters):
        """Luma PSNR against the clip, dB."""
        # By number: the clip's pictures begin 5 ms after its sound.
        graph = (f"[0:v]{','.join((*filters, 'format=yuv444p,setpts=N'))}[a];"
                 f"[1:v]crop={REDUCED},format=yuv444p,setpts=N[b];[a][b]psnr")
        _, text = run(["ffmpeg", "-nostdin", "-i", one, "-i", CLIP, "-lavfi", graph, "-f", "null", "-"], check=True)
        return float(re.search(r"PSNR y:([0-9.]+)", text)[1])

    def test_beats_bicubic(self):
        small = self.folder / "small.mkv"
        run(["ffmpeg", "-nostdin", "-v", "error", "-i", CLIP, "-an", "-sn", "-vf",
             f"crop={REDUCED},scale=80:44:flags=bicubic+accurate_rnd+full_chroma_int:param0=0:param1=0.5",
             "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", small], check=True)
        run(self.job("job", input__file=small, segment__codec="ffv1", final__height=176, final__preset="ultrafast"), check=True)
        segments = sorted((self.folder / "job/segments").glob("*.mkv"))
        self.assertEqual(len(segments), 1)
        bicubic = self.psnr(small, "scale=320:176:flags=bicubic+accurate_rnd+full_chroma_int")
        ours = self.psnr(segments[0])
        print(f"bicubic {bicubic:.2f} dB, embedded model {ours:.2f} dB")
        self.assertGreater(ours, bicubic + 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
