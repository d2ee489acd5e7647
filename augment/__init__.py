"""The system under test: images in, augmented images out. Usable alone as a library."""
