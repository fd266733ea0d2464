"""The older home of pictures in `gpunn.utils` (`keras.preprocessing.image`)."""

from gpunn.data.pictures import array_to_img, img_to_array, load_img, save_img

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]
